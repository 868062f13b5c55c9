"""Fixed reports of parity checks."""

from ae_multi.parity import Report
from ae_multi.parity.divergence import Divergence, Stage

BACKENDS = ("torch", "tensorflow", "jax", "numpy")
ABOUT = {
    "versions": {"python": "3.11.7", "keras": "3.15.1"},
    "device": "cpu (2 threads)",
    "precision": "float32",
}


def entry(
    stage, place=0, name="dense", layer="Dense", beyond=(), error=0.1, backends=None, **changes
):
    """Return a `Divergence`: backends in ``beyond`` have the error ``error``, others 1e-7."""
    trained = stage in ("gradient", "losses")
    backends = backends or (BACKENDS[:3] if trained else BACKENDS)
    errors = {b: error if b in beyond else 0.99999e-7 * (n + 1) for n, b in enumerate(backends)}
    return Divergence(
        **{
            "stage": stage,
            "place": place,
            "name": name,
            "layer": layer,
            "shape": (2, 3),
            "error": errors,
            "bound": dict.fromkeys(backends, 1e-6),
            "diverging": tuple(b for b in beyond if b != "numpy"),
            "source": dict.fromkeys(backends, "counting"),
            "remarks": tuple(b for b in beyond if b == "numpy"),
            "at": {b: (1.0 + errors[b], 1.0) for b in backends},
            **changes,
        }
    )


def report(stages, **changes):
    """Return a report of a dict of stage to entries."""
    return Report(
        **{
            "model": "models.py:build",
            "stages": [Stage(name, entries) for name, entries in stages.items()],
            "backends": {b: {**ABOUT, "backend": b} for b in BACKENDS},
            "oracle": "jax",
            "not_comparable": [],
            "left_out": {},
            "curves": {},
            **changes,
        }
    )


def bicubic(name="enlarge", **changes):
    """Return a report of a model whose bicubic interpolation differs on PyTorch."""
    beyond = ("torch",)
    return report(
        {
            "forward": [
                entry("forward", name="conv", layer="Conv2D"),
                entry("forward", 1, name, "UpSampling2D", beyond),
                entry("forward", 2, "out", "Conv2D", beyond),
            ],
            "gradient": [
                entry("gradient", name="loss", layer="", beyond=beyond),
                entry("gradient", 1, "conv/kernel", "Conv2D", beyond),
            ],
            "losses": [
                entry("losses", n, f"step {n + 1}", "", beyond, shape=()) for n in range(20)
            ],
        },
        **changes,
    )


def agreeing(**changes):
    """Return a report of a model on which the backends agree."""
    return report({"forward": [entry("forward")], "losses": [entry("losses", layer="")]}, **changes)
