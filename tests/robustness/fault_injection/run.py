"""Inject a fault in one backend and compare the stages."""

from dataclasses import asdict, dataclass
from pathlib import Path

from ae_multi.parity.launcher import TraceLauncher
from ae_multi.parity.stages import compare_traces
from tests.reference.patched_interpreter import patched_interpreter
from tests.robustness.fault_injection.catalogue import FAULTS, PRELUDE

MODEL = f"{Path(__file__).parent / 'target_model.py'}:build"
ORACLE = "jax"
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

    def to_json(self):
        """The result as plain values, with the names of recorded results."""
        return {_RECORDED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @property
    def caught(self):
        """Whether it was found at its stage, by its name, and on its backend only."""
        return (
            self.found_stage == self.stage
            and self.found_place.startswith(self.place)
            and self.diverging == (self.backend,)
        )


class FaultInjector:
    """Compares traces of a faulty model with traces without faults.

    Args:
        pythons: dict of backend to interpreter, for the backends that take part.
        folder: where traces and altered interpreters go.
        on_event: called with (name, event) for each event of a child process, or None.
    """

    def __init__(self, pythons, folder, on_event=None):
        self._pythons, self._folder = pythons, Path(folder)
        self._launcher = TraceLauncher(
            MODEL,
            None,
            None,
            (16, 16, 1),
            seed=0,
            steps=20,
            batch_size=32,
            folder=self._folder,
            python=pythons.get,
            epoch=True,
            on_event=on_event,
        )
        self._traces = {backend: self._launcher.trace(backend) for backend in pythons}
        oracle = ORACLE if ORACLE in pythons else next(iter(pythons))
        self._oracle, self._perturbed = self._launcher.oracle(oracle)

    def compare_without_fault(self):
        """Compare the stages of the model without a fault."""
        return compare_traces(self._traces, self._oracle, self._perturbed)

    def inject(self, name, backend):
        """Inject one fault in one backend; return an `InjectionResult`."""
        fault = FAULTS[name]
        site = self._folder / f"{list(FAULTS).index(name)}-{backend}"
        python = patched_interpreter(self._pythons[backend], site, PRELUDE + fault.code)
        traces = {**self._traces, backend: self._launcher.trace(backend, python)}
        stages = compare_traces(traces, self._oracle, self._perturbed)
        expected = {"fault": name, "backend": backend, "stage": fault.stage, "place": fault.name}
        first = next((stage.divergences[0] for stage in stages if not stage.holds), None)
        if first is None:
            return InjectionResult(**expected)
        return InjectionResult(
            **expected,
            found_stage=first.stage,
            found_place=first.name,
            size=first.error[backend],
            bound=first.bound[backend],
            diverging=first.diverging,
        )
