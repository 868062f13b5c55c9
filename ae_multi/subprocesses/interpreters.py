"""Which backends take part in a job, and the interpreter that runs each."""

import sys
from dataclasses import dataclass, field

from ae_multi.errors import InputError
from ae_multi.selection import BACKENDS, check_backend, installed

# The fastest backend that takes part repeats its trainings, perturbed by rounding.
_FASTEST_FIRST = ("jax", "tensorflow", "torch")


@dataclass(frozen=True, kw_only=True)
class Interpreters:
    """Backends, and interpreters for those that live in environments of their own.

    Attributes:
        backends: names, in the order to run; None for every one that is installed.
        pythons: dict of backend to interpreter; the others run in this one.

    Raises:
        InputError: a backend named twice, or one that is unknown.
    """

    backends: tuple | None = None
    pythons: dict = field(default_factory=dict)

    def __post_init__(self):
        names = self.backends or ()
        if len(set(names)) < len(names):
            raise InputError(f"Expected each backend once. Received: {', '.join(names)}.")
        for name in (*names, *self.pythons):
            if name not in BACKENDS:
                raise InputError(
                    f"Expected backends among {', '.join(BACKENDS)}. Received: {name!r}."
                )

    def available(self):
        """(backends to run, backends left out because they are not installed).

        Raises:
            BackendError: one that was asked for by name is not installed, or none at all is.
        """
        if self.backends is not None:
            for name in self.backends:
                if name not in self.pythons:
                    check_backend(name, where="the list of backends")
            return self.backends, ()
        here = tuple(name for name in BACKENDS if name in self.pythons or installed(name))
        if not here:
            check_backend(BACKENDS[0], where="a comparison (or tensorflow, or jax)")
        return here, tuple(name for name in BACKENDS if name not in here)

    def python(self, backend):
        """The interpreter that runs ``backend``."""
        return self.pythons.get(backend, sys.executable)


def fastest(backends):
    """The backend, of those named, that takes least time."""
    return next(name for name in _FASTEST_FIRST if name in backends)
