"""Normalization layers, on data of small and large means."""

from tests.robustness.sweep.branch import Configuration, Numbers


def _values(draw, shape):
    """Return two `Numbers`: standard normal ones, and ones far from zero or small."""
    unusual = draw.of({"mean": 100.0, "spread": 0.3}, {"mean": -30.0}, {"spread": 1e-3})
    return [Numbers(shape), Numbers(shape, **unusual)]


def batch(draw):
    return [
        Configuration(
            "BatchNormalization",
            {
                "axis": draw.of(-1, 1, 2),
                "epsilon": draw.of(1e-3, 1e-5, 0.1),
                "momentum": draw.of(0.99, 0.5),
                "center": draw.of(True, False),
                "scale": draw.of(True, False),
                "renorm": draw.of(False, False, True),
            },
            [values],
            mask=draw.of(None, None, 0.0),
        )
        for values in _values(draw, (7, 4))
    ] + [Configuration("BatchNormalization", {"axis": draw.of(-1, 1)}, [Numbers((7, 6, 4))])]


def layer(draw):
    return [
        Configuration(
            "LayerNormalization",
            {
                "axis": draw.of(-1, 1, [1, 2], [-2, -1]),
                "epsilon": draw.of(1e-3, 1e-6, 0.1),
                "center": draw.of(True, False),
                "scale": draw.of(True, False),
            },
            [values],
        )
        for values in _values(draw, (7, 6, 4))
    ]


def group(draw):
    return [
        Configuration(
            "GroupNormalization",
            {"groups": draw.of(1, 2, -1), "epsilon": draw.of(1e-3, 1e-6), "axis": draw.of(-1, 3)},
            [values],
        )
        for values in _values(draw, (7, 6, 4))
    ]


def rms(draw):
    # Other axes raise an error on every backend.
    config = {"axis": -1, "epsilon": draw.of(1e-6, 0.1)}
    return [Configuration("RMSNormalization", config, [v]) for v in _values(draw, (7, 6, 4))]


def unit(draw):
    config = {"axis": draw.of(-1, 1, [1, 2])}
    return [Configuration("UnitNormalization", config, [v]) for v in _values(draw, (7, 6, 4))]


def spectral(draw):
    wrapped, shape = draw.of(
        ({"class": "Dense", "config": {"units": 5}}, (9,)),
        ({"class": "Conv2D", "config": {"filters": 5, "kernel_size": 3}}, (7, 6, 4)),
    )
    config = {"layer": wrapped, "power_iterations": draw.of(1, 3)}
    return [Configuration("SpectralNormalization", config, [Numbers(shape)])]


DRAWS = {
    "BatchNormalization": batch,
    "LayerNormalization": layer,
    "GroupNormalization": group,
    "RMSNormalization": rms,
    "UnitNormalization": unit,
    "SpectralNormalization": spectral,
}
