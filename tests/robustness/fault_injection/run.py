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
# All bounds are also scaled by these, to see how many faults are found then.
FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
_RECORDED_NAMES = {"stage": "rung", "found_stage": "found_rung", "diverging": "guilty"}


@dataclass(frozen=True)
class InjectionResult:
    """The result of one fault in one backend.

    Attributes:
        fault: a key of `FAULTS`.
        backend: where it was injected.
        stage: the stage that had to find it first.
        place: the entry that had to be named first, or its beginning; empty for any.
        found_stage: the stage that found it first; empty where none did.
        found_place: the entry that it named first.
        size: that entry's error on the backend with the fault, relative to the largest value.
        bound: the error that was allowed there.
        diverging: the backends that were named.
        caught_at: the `FACTORS` of all bounds with which the fault is caught.
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
        """The result as plain values, with the names of recorded results."""
        return {_RECORDED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @property
    def caught(self):
        """Whether it was found at its stage, by its name, and on its backend only."""
        return self.fits(self.found_stage, self.found_place, self.diverging)

    def fits(self, stage, place, diverging):
        """Whether a divergence is where the fault has to be found."""
        found = stage == self.stage and place.startswith(self.place)
        return found and diverging == (self.backend,)


class _Sound:
    """One model without a fault: its launcher and its traces.

    Args:
        model: a name of the zoo, or empty for the model of `target_model`.
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
        """Compare the stages of the traces, with some of them replaced."""
        return compare_traces({**self.traces, **faulty}, self.oracle, self.perturbed)


class FaultInjector:
    """Compares traces of a faulty model with traces without faults.

    Args:
        pythons: dict of backend to interpreter, for the backends that take part.
        folder: where traces and altered interpreters go.
        on_event: called with (name, event) for each event of a child process, or None.
    """

    def __init__(self, pythons, folder, on_event=None):
        self._pythons, self._folder, self._on_event = pythons, Path(folder), on_event
        self._models = {}

    def _sound(self, model):
        if model not in self._models:
            folder = self._folder / (model or "target_model")
            self._models[model] = _Sound(model, self._pythons, folder, self._on_event)
        return self._models[model]

    def compare_without_fault(self, model=""):
        """Compare the stages of a model without a fault."""
        return self._sound(model).compare()

    def inject(self, name, backend):
        """Inject one fault in one backend; return an `InjectionResult`."""
        fault = FAULTS[name]
        site = self._folder / f"{list(FAULTS).index(name)}-{backend}"
        python = patched_interpreter(self._pythons[backend], site, PRELUDE + fault.code)
        sound = self._sound(fault.model)
        stages = sound.compare(**{backend: sound.launcher.trace(backend, python)})
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
