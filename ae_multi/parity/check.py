"""Whether anybody's Keras model is the same on every backend."""

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ae_multi.errors import InputError
from ae_multi.parity.ladder import RUNGS, climb
from ae_multi.parity.process import run
from ae_multi.parity.reproduce import write_script
from ae_multi.parity.settings import Settings
from ae_multi.parity.subject import check_samples, reference_to
from ae_multi.parity.trace import Trace
from ae_multi.randomness.streams import check_seed, uniform
from ae_multi.sizes import check_positive, check_shape

_SAMPLES = 256
_SHAKEN_RUNS = 4


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        rungs: list of `Rung`, in the order of the ladder.
        backends: dict of backend to versions, device and precision.
        oracle: which backend computed the float64 trace.
        not_comparable: random functions that the model asks and that cannot be made alike.
        left_out: backends that are not installed.
    """

    rungs: list
    backends: dict
    oracle: str
    not_comparable: list
    left_out: tuple

    @property
    def agree(self):
        """Whether every rung holds on every backend."""
        return all(rung.holds for rung in self.rungs)

    @property
    def first_divergence(self):
        """The first `Divergence` on the ladder, or None."""
        return next((rung.divergences[0] for rung in self.rungs if rung.divergences), None)

    def to_json(self):
        """The report as plain values."""
        first = self.first_divergence
        return {
            "agree": self.agree,
            "first_divergence": None if first is None else asdict(first),
            "rungs": [
                {
                    "rung": rung.name,
                    "what": RUNGS[rung.name],
                    "compared": rung.compared,
                    "holds": rung.holds,
                    "closest": asdict(rung.closest),
                    "divergences": [asdict(entry) for entry in rung.divergences],
                }
                for rung in self.rungs
            ],
            "backends": self.backends,
            "oracle": self.oracle,
            "not_comparable": self.not_comparable,
            "left_out": list(self.left_out),
        }

    def __str__(self):
        lines = [f"{rung.name:>16}: {'holds' if rung.holds else 'PARTS'}" for rung in self.rungs]
        first = self.first_divergence
        return "\n".join([*lines, *([] if first is None else [f"first in {first}"])])


def check(
    build_model,
    x=None,
    y=None,
    backends=None,
    *,
    shape=None,
    seed=0,
    steps=20,
    batch_size=32,
    pythons=None,
    script=None,
    on_event=None,
):
    """Run a model on several backends, step by step, and compare it with a float64 oracle.

    Args:
        build_model: a function that returns a Keras model, compiled or not; at the top level of
            a module, so that other processes can import it, or a string "module:function" or
            "file.py:function".
        x: inputs: an array of samples, or a list of arrays for a model of several inputs.
        y: targets, likewise; left out, the inputs where they fit the outputs, else numbers drawn
            from the seed.
        backends: names; None for every one that is installed.
        shape: in place of ``x``: the shape of one sample, or a list of shapes, for 256 samples
            drawn from the seed.
        seed: integer that stands for every seed the model leaves open.
        steps: how many training steps to compare.
        batch_size: samples in a step.
        pythons: dict of backend to interpreter, for backends in environments of their own.
        script: where to write a script that reproduces a first divergence in a layer's output
            with Keras alone, or None. Nothing is written where there is none.
        on_event: called with (backend, event) for each event of a child process.

    Returns:
        A `Report`.

    Raises:
        InputError: a build function that cannot be imported or builds no model, or data that do
            not fit it.
        BackendError: a backend asked for is not installed.
        WorkerError: a child process that failed.
    """
    settings = Settings(
        backends=None if backends is None else tuple(backends), pythons=dict(pythons or {})
    )
    names, left_out = settings.available()
    with tempfile.TemporaryDirectory() as folder:
        probes = Probes(
            build_model, x, y, shape, seed, steps, batch_size, folder, settings.python, on_event
        )
        traces = {backend: probes.trace(backend) for backend in names}
        witness = settings.spread_backend(names)
        oracle, shaken = probes.oracle(witness)
        report = Report(
            rungs=climb(traces, oracle, shaken),
            backends={backend: found.about for backend, found in traces.items()},
            oracle=witness,
            not_comparable=sorted({n for t in traces.values() for n in t.about["not_comparable"]}),
            left_out=left_out,
        )
        first = report.first_divergence
        if script is not None and first is not None and "forward" in first.rung:
            exact = oracle.values(first.rung)[first.place]
            write_script(Path(script), first, probes.excerpt(witness, first), exact)
    return report


class Probes:
    """Traces of one model on one set of data, each recorded in a process of its own.

    The first trace's initial weights start the others, so that one weight drawn otherwise does
    not make all that follows incomparable; the first rung shows it all the same.

    Args:
        build_model, x, y, shape, seed, steps, batch_size: as `check` takes them.
        folder: where the traces go; it must last as long as they are recorded.
        python: function from a backend's name to its interpreter.
        on_event: called with (name, event) for each event of a child process, or None.
    """

    def __init__(
        self, build_model, x, y, shape, seed, steps, batch_size, folder, python, on_event=None
    ):
        check_positive(steps=steps, batch_size=batch_size)
        self._folder, self._python, self._on_event = Path(folder), python, on_event
        self._job = {
            "task": "probe",
            "build": reference_to(build_model),
            "folder": os.getcwd(),
            "data": str(self._folder / "data.npz"),
            "seed": check_seed(seed),
            "steps": steps,
            "batch_size": batch_size,
            "float64": False,
            "start": None,
            "shaken": [],
            "excerpt": None,
        }
        _save_data(self._job["data"], x, y, shape, seed)

    def trace(self, backend, python=None):
        """The float32 `Trace` of a backend, by another interpreter than usual if one is given."""
        path = self._record(backend, backend, python)
        self._job["start"] = self._job["start"] or path
        return Trace.load(path)

    def oracle(self, backend):
        """(the float64 `Trace`, list of those shaken as rounding would), after the first trace."""
        paths = [str(self._folder / f"shaken-{run}.npz") for run in range(_SHAKEN_RUNS)]
        path = self._record(backend, "oracle", float64=True, shaken=paths)
        return Trace.load(path), [Trace.load(path) for path in paths]

    def excerpt(self, backend, divergence):
        """Path of the .npz that holds the layer behind a divergence, its inputs and weights."""
        path = str(self._folder / "excerpt.npz")
        place = {"stage": divergence.rung, "place": divergence.place, "path": path}
        self._record(backend, "excerpt", excerpt=place)
        return path

    def _record(self, backend, name, python=None, **changes):
        path = str(self._folder / f"{name}.npz")
        job = {**self._job, "trace": path, **changes}
        for event in run(python or self._python(backend), backend, job):
            if self._on_event is not None:
                self._on_event(name, event)
        return path


def _save_data(path, x, y, shape, seed):
    """Write inputs and targets for the child processes."""
    if (x is None) == (shape is None):
        raise InputError("Expected either data or the shape of one sample. Received: both or none.")
    if x is None:
        shapes = shape if isinstance(shape, list) else [shape]
        xs = [
            uniform(seed, f"data/{place}", (_SAMPLES, *check_shape(sizes, "shape")))
            for place, sizes in enumerate(shapes)
        ]
    else:
        xs = _as_list(x)
    ys = [] if y is None else _as_list(y)
    check_samples([*xs, *ys], "data")
    named = {f"x{i}": a for i, a in enumerate(xs)} | {f"y{i}": a for i, a in enumerate(ys)}
    np.savez(path, **named)


def _as_list(arrays):
    return [np.asarray(array) for array in (arrays if isinstance(arrays, list) else [arrays])]
