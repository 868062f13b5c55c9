"""Plant a fault in one backend, climb the ladder, and say whether it was found where it is."""

from dataclasses import dataclass
from pathlib import Path

from ae_multi.parity.launcher import Probes
from ae_multi.parity.stages import climb
from tests.reference.patched_interpreter import patched_interpreter
from tests.robustness.fault_injection.catalogue import FAULTS, PRELUDE

MODEL = f"{Path(__file__).parent / 'target_model.py'}:build"
ORACLE = "jax"


@dataclass(frozen=True)
class InjectionResult:
    """What became of one fault in one backend.

    Attributes:
        fault: a key of `FAULTS`.
        backend: where it was planted.
        rung: the rung that had to find it first.
        place: the entry that had to be named first, or its beginning; empty for any.
        found_rung: the rung that found it first; empty where none did.
        found_place: the entry that it named first.
        size: that entry's error on the backend with the fault, relative to the largest value.
        bound: the error that was allowed there.
        guilty: the backends that were named.
    """

    fault: str
    backend: str
    rung: str
    place: str
    found_rung: str = ""
    found_place: str = ""
    size: float = 0.0
    bound: float = 0.0
    guilty: tuple = ()

    @property
    def caught(self):
        """Whether it was found at its own rung, by its own name, and on its backend alone."""
        return (
            self.found_rung == self.rung
            and self.found_place.startswith(self.place)
            and self.guilty == (self.backend,)
        )


class FaultInjector:
    """Traces of the model without faults, to hold faulty ones against.

    Args:
        pythons: dict of backend to interpreter, for the backends that take part.
        folder: where traces and altered interpreters go.
        on_event: called with (name, event) for each event of a child process, or None.
    """

    def __init__(self, pythons, folder, on_event=None):
        self._pythons, self._folder = pythons, Path(folder)
        self._probes = Probes(
            MODEL, None, None, (16, 16, 1), seed=0, steps=20, batch_size=32,
            folder=self._folder, python=pythons.get, epoch=True, on_event=on_event,
        )  # fmt: skip
        self._traces = {backend: self._probes.trace(backend) for backend in pythons}
        oracle = ORACLE if ORACLE in pythons else next(iter(pythons))
        self._oracle, self._shaken = self._probes.oracle(oracle)

    def compare_without_fault(self):
        """The rungs of the ladder, climbed with the model as it is."""
        return climb(self._traces, self._oracle, self._shaken)

    def inject(self, name, backend):
        """The `InjectionResult` on one fault in one backend; the others are as they were."""
        fault = FAULTS[name]
        site = self._folder / f"{list(FAULTS).index(name)}-{backend}"
        python = patched_interpreter(self._pythons[backend], site, PRELUDE + fault.code)
        traces = {**self._traces, backend: self._probes.trace(backend, python)}
        rungs = climb(traces, self._oracle, self._shaken)
        wanted = {"fault": name, "backend": backend, "rung": fault.rung, "place": fault.name}
        first = next((rung.divergences[0] for rung in rungs if not rung.holds), None)
        if first is None:
            return InjectionResult(**wanted)
        return InjectionResult(
            **wanted,
            found_rung=first.rung,
            found_place=first.name,
            size=first.error[backend],
            bound=first.bound[backend],
            guilty=first.guilty,
        )
