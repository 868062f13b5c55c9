"""Selection of the backends of a job and of the interpreter that runs each."""

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ae_multi.backend_selection import BACKENDS, check_backend, install_advice, installed
from ae_multi.errors import BackendError, InputError

# Of the selected backends the fastest one runs the perturbed repetitions of a comparison.
_FASTEST_FIRST = ("jax", "tensorflow", "torch")


@dataclass(frozen=True, kw_only=True)
class Interpreters:
    """Backends to run, and the interpreters of those that are installed in other environments.

    Attributes:
        backends: backend names in the order to run; None for every installed one.
        pythons: dict of backend to path of an interpreter; the other backends run in the current
            interpreter.

    Raises:
        InputError: a backend is named twice, or is unknown.
    """

    backends: tuple[str, ...] | None = None
    pythons: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = self.backends or ()
        if len(set(names)) < len(names):
            raise InputError(f"Expected each backend once. Received: {', '.join(names)}.")
        for name in (*names, *self.pythons):
            if name not in BACKENDS:
                raise InputError(
                    f"Expected backends among {', '.join(BACKENDS)}. Received: {name!r}."
                )

    def available(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return (backends to run, backends that are not installed).

        Raises:
            BackendError: a backend in `backends` is not installed, or no backend is installed.
        """
        if self.backends is not None:
            for name in self.backends:
                if name not in self.pythons:
                    check_backend(name, where="the list of backends")
            return self.backends, ()
        here = tuple(name for name in BACKENDS if name in self.pythons or installed(name))
        if not here:
            raise BackendError(
                f"Expected one of {', '.join(BACKENDS)} to be installed. Received: none of them. "
                f"Install one with: {' or '.join(map(install_advice, BACKENDS))}."
            )
        return here, tuple(name for name in BACKENDS if name not in here)

    def python(self, backend: str) -> str:
        """Return the path of the interpreter that runs ``backend``."""
        return self.pythons.get(backend, sys.executable)


def fastest(backends: Collection[str]) -> str:
    """Return the backend among ``backends`` that is expected to train fastest."""
    return next(name for name in _FASTEST_FIRST if name in backends)
