"""Inject a fault in one backend and compare the stages."""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.stages import compare_traces
from tests.reference.patched_interpreter import patched_interpreter
from tests.robustness.fault_injection.catalogue import FAULTS, PRELUDE
from tests.robustness.zoo.catalogue import ZOO

MODEL = f"{Path(__file__).parent / 'target_model.py'}:build"
ORACLE = "jax"
# Factors of all bounds for which faults are also counted.
FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
_RECORDED_NAMES = {"stage": "rung", "found_stage": "found_rung", "diverging": "guilty"}


@dataclass(frozen=True)
class InjectionResult:
    """The result of one fault in one backend.

    Attributes:
        fault: key of `FAULTS`.
        backend: backend with the fault.
        stage: first stage that must find it.
        place: first entry that must be reported, or the beginning of its name; empty for any.
        found_stage: first stage that found it; empty if none did.
        found_place: first reported entry.
        size: error of that entry on the backend with the fault, relative to the largest value.
        bound: largest allowed error of that entry.
        diverging: reported backends.
        caught_at: those of `FACTORS` with which the fault is caught.
    """

    fault: str
    backend: str
    stage: str
    place: str
    found_stage: str = ""
    found_place: str = ""
    size: float = 0.0
    bound: float = 0.0
    diverging: tuple = ()
    caught_at: list = field(default_factory=list)

    def to_json(self):
        """Return the result as values for JSON, with the keys of recorded results."""
        return {_RECORDED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @property
    def caught(self):
        """Whether the fault was found at its stage, in its layer, and on its backend only."""
        return self.fits(self.found_stage, self.found_place, self.diverging)

    def fits(self, stage, place, diverging):
        """Return whether a divergence is where the fault must be found."""
        found = stage == self.stage and place.startswith(self.place)
        return found and diverging == (self.backend,)


class _Baseline:
    """One model without a fault: its launcher and its traces.

    Args:
        model: name of a model of the zoo, or empty for the model of `target_model`.
        pythons, folder, on_event: as for `FaultInjector`.
    """

    def __init__(self, model, pythons, folder, on_event):
        if model:
            case = ZOO[model]
            data, run = (*case.data(0), None), {"steps": 6}
            build = case.build
        else:
            build, data, run = MODEL, (None, None, (16, 16, 1)), {"steps": 20, "epoch": True}
        folder.mkdir(exist_ok=True)
        self.launcher = TraceLauncher(
            build,
            *data,
            seed=0,
            batch_size=32,
            folder=folder,
            python=pythons.get,
            on_event=on_event,
            **run,
        )
        self.traces = {backend: self.launcher.trace(backend) for backend in pythons}
        oracle = ORACLE if ORACLE in pythons else next(iter(pythons))
        self.oracle, self.perturbed = self.launcher.oracle(oracle)

    def compare(self, **faulty):
        """Compare the traces; return a list of `Stage`.

        Args:
            faulty: traces by backend that replace those without a fault.
        """
        return compare_traces({**self.traces, **faulty}, self.oracle, self.perturbed)


class FaultInjector:
    """Compare traces of a faulty model with traces without faults.

    Args:
        pythons: dict of backend to interpreter.
        folder: folder for traces and patched interpreters.
        on_event: function that is called with (name, event) for each event of a child process, or
            None.
    """

    def __init__(self, pythons, folder, on_event=None):
        self._pythons, self._folder, self._on_event = pythons, Path(folder), on_event
        self._models = {}

    def _baseline(self, model):
        if model not in self._models:
            folder = self._folder / (model or "target_model")
            self._models[model] = _Baseline(model, self._pythons, folder, self._on_event)
        return self._models[model]

    def compare_without_fault(self, model=""):
        """Compare the traces of a model without a fault; return a list of `Stage`."""
        return self._baseline(model).compare()

    def inject(self, name, backend):
        """Inject one fault in one backend; return an `InjectionResult`."""
        fault = FAULTS[name]
        folder = self._folder / f"{list(FAULTS).index(name)}-{backend}"
        python = patched_interpreter(self._pythons[backend], folder, PRELUDE + fault.code)
        baseline = self._baseline(fault.model)
        stages = baseline.compare(**{backend: baseline.launcher.trace(backend, python)})
        expected = InjectionResult(name, backend, fault.stage, fault.name)
        found = {factor: first_beyond(stages, factor) for factor in FACTORS}
        caught_at = [f for f, place in found.items() if place and expected.fits(*place)]
        first = next((stage.divergences[0] for stage in stages if not stage.holds), None)
        if first is None:
            return replace(expected, caught_at=caught_at)
        return replace(
            expected,
            found_stage=first.stage,
            found_place=first.name,
            size=first.error[backend],
            bound=first.bound[backend],
            diverging=first.diverging,
            caught_at=caught_at,
        )


def first_beyond(stages, factor):
    """Return (stage, entry, backends) of the first entry beyond its scaled bounds, or None."""
    for entry in (entry for stage in stages for entry in stage.entries):
        beyond = tuple(
            backend
            for backend, error in entry.error.items()
            if backend not in FORWARD_ONLY and not error <= factor * entry.bound[backend]
        )
        if beyond:
            return entry.stage, entry.name, beyond
    return None
