"""Run configurations on every backend and a float64 reference, and list differences."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ae_multi.errors import InputError
from ae_multi.parity.stages import compare_traces
from ae_multi.parity.trace import Trace
from tests.robustness.sweep.branch import samples

# Outputs and gradients; later stages add nothing for a single layer.
COMPARED = ("start", "forward", "training forward", "gradient")
# The reference runs on the first of these that computes the layer, the fastest first: TensorFlow
# and PyTorch run operations immediately, JAX compiles them.
_ORACLES = ("tensorflow", "torch", "jax")
_PERTURBED_RUNS = 2
# A start takes seconds; more configurations need more memory, since JAX keeps all programs.
_CONFIGURATIONS_PER_PROCESS = 24

_MODEL = """\
from tests.robustness.sweep.branch import Configuration
from tests.robustness.sweep.branch import build as model_of

CONFIGURATION = {configuration!r}


def build():
    return model_of(Configuration.from_json(CONFIGURATION))
"""


@dataclass(frozen=True)
class Finding:
    """A configuration that differs between backends.

    Attributes:
        configuration: the `Configuration`.
        errors: dict of backend to the stage and the error that it raised there.
        divergences: list of `Divergence` of the layer and of the layers after it.
        note: reason why nothing could be compared, otherwise empty.
    """

    configuration: object
    errors: dict = field(default_factory=dict)
    divergences: list = field(default_factory=list)
    note: str = ""

    def to_json(self):
        """Return the finding as values for JSON."""
        return {
            "layer": str(self.configuration),
            "configuration": self.configuration.to_json(),
            "errors": self.errors,
            "divergences": [asdict(entry) for entry in self.divergences],
            "note": self.note,
        }


def sweep(configurations, pythons, folder, seed=0, on_event=None):
    """Compare backends on each configuration.

    Args:
        configurations: list of `Configuration`.
        pythons: dict of backend to interpreter.
        folder: an empty folder for models, samples and traces; each model there can be checked
            alone by ``ae-multi parity FOLDER/PLACE/model.py:build``.
        seed: integer for samples and weights.
        on_event: function that is called with (name of a process, event) after each
            configuration.

    Returns:
        List of `Finding`, one for each configuration that differs or raises.

    Raises:
        InputError: fewer than two backends.
    """
    if len(pythons) < 2:
        received = ", ".join(pythons) or "none"
        raise InputError(f"Expected two backends or more. Received: {received}.")
    folder = Path(folder)
    for place, configuration in enumerate(configurations):
        _write(folder / str(place), configuration, seed, place)
    oracles = [name for name in _ORACLES if name in pythons]
    runs = _Runs(folder, pythons, seed, on_event or (lambda *_: None))
    # The slowest backend comes first, so that no core is idle at the end.
    errors = runs.record([(b, b, False) for b in reversed(oracles)], range(len(configurations)))
    for backend in oracles:
        # If the first reference backend cannot compute a layer, the next one may.
        missing = [p for p in range(len(configurations)) if runs.needs_oracle(p)]
        runs.record([("oracle", backend, True)], missing)
    return [
        finding
        for place, configuration in enumerate(configurations)
        if (finding := _finding(configuration, folder / str(place), pythons, errors[place]))
    ]


class _Runs:
    """Run child processes, one for each core."""

    def __init__(self, folder, pythons, seed, on_event):
        self._folder, self._pythons = folder, pythons
        self._seed, self._on_event = seed, on_event

    def record(self, kinds, places):
        """Record a trace of each kind at each place.

        Args:
            kinds: list of (name of the trace, backend, whether in float64).
            places: indices of configurations.

        Returns:
            Dict of place to a dict of name of the trace to its error.
        """
        errors = {place: {} for place in places}
        size = _CONFIGURATIONS_PER_PROCESS
        pieces = [places[start : start + size] for start in range(0, len(places), size)]
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            queue = [(k[0], pool.submit(self._piece, *k, piece)) for k in kinds for piece in pieces]
            for name, done in queue:
                for place, error in done.result().items():
                    errors[place][name] = error
        return errors

    def needs_oracle(self, place):
        """Return whether two backends or more, and no reference, have run a configuration."""
        folder = self._folder / str(place)
        recorded = [name for name in self._pythons if (folder / f"{name}.npz").exists()]
        return len(recorded) > 1 and not (folder / "oracle.npz").exists()

    def _piece(self, name, backend, float64, places):
        """Run a process, again after a crash; return a dict of place to error."""
        errors, remaining = {}, list(places)
        while remaining:
            for event in self._events(name, backend, float64, remaining):
                remaining.remove(event["place"])
                if "error" in event:
                    errors[event["place"]] = f"{event['doing']}: {event['error']}"
                self._on_event(name, event)
            if remaining:
                errors[remaining[0]] = "the process ended"
                self._on_event(name, {"place": remaining.pop(0)})
        return errors

    def _events(self, name, backend, float64, places):
        job = {"name": name, "places": places, "folder": str(self._folder), "seed": self._seed}
        job |= {"float64": float64, "perturbed": _PERTURBED_RUNS if float64 else 0}
        child = subprocess.Popen(
            [self._pythons[backend], "-m", "tests.robustness.sweep.worker", json.dumps(job)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"},
            text=True,
        )
        with child:
            try:
                yield from map(json.loads, child.stdout)
            finally:
                child.kill()


def _write(folder, configuration, seed, place):
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_MODEL.format(configuration=configuration.to_json()))
    arrays = samples(configuration, seed, place)
    np.savez(folder / "data.npz", **{f"x{i}": array for i, array in enumerate(arrays)})


def _finding(configuration, folder, backends, errors):
    """Compare one configuration; return a `Finding`, or None if the backends agree."""
    traces = {b: Trace.load(folder / f"{b}.npz") for b in backends if b not in errors}
    if len(traces) < 2:
        return Finding(configuration, errors)
    if not (folder / "oracle.npz").exists():
        return Finding(configuration, errors, note="no backend computes it in float64")
    perturbed = [Trace.load(folder / f"perturbed-{run}.npz") for run in range(_PERTURBED_RUNS)]
    oracle = Trace.load(folder / "oracle.npz")
    try:
        stages = compare_traces(traces, oracle, perturbed)
    except InputError as error:  # the traces have different layers or shapes
        return Finding(configuration, errors, note=str(error))
    found = [entry for stage in stages if stage.name in COMPARED for entry in stage.divergences]
    return Finding(configuration, errors, found) if errors or found else None
