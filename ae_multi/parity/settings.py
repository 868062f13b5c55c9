"""What a comparison is asked to do."""

import sys
from dataclasses import dataclass, field

from ae_multi.errors import InputError
from ae_multi.recipes.recipe import Recipe
from ae_multi.selection import BACKENDS, check_backend, installed
from ae_multi.validation import check_positive

# The fastest backend that takes part repeats its trainings, perturbed by rounding.
_FASTEST_FIRST = ("jax", "tensorflow", "torch")


@dataclass(frozen=True)
class Settings:
    """One comparison.

    Attributes:
        recipes: the trainings, each to be done on every backend.
        backends: names, in the order to run; None for every one that is installed.
        pythons: interpreters for backends that live in environments of their own; the others
            run in this one.
        data: the name of a data set, as `load_data` takes it.
        path: where MNIST lies, or None.
        first_steps: how many single losses to compare.
        spread_runs: how many repetitions, perturbed by rounding, measure the spread: at least 2,
            or 0 to leave the final test MSE unjudged.
        plans: whether to train by every plan of each backend, and not by the one that `fit`
            chooses.

    Raises:
        InputError: a number below 1 (for ``spread_runs`` below 0, or 1), or a model or a backend
            named twice.
        BackendError: a backend that is unknown.
    """

    recipes: tuple = (Recipe("simple"), Recipe("deep"))
    backends: tuple | None = None
    pythons: dict = field(default_factory=dict)
    data: str = "auto"
    path: str | None = None
    first_steps: int = 20
    spread_runs: int = 6
    plans: bool = False

    def __post_init__(self):
        check_positive(first_steps=self.first_steps, spread_runs=self.spread_runs + 1)
        if self.spread_runs == 1:
            raise InputError(
                "Expected spread_runs of at least 2, or 0: one repetition has no spread. "
                "Received: 1."
            )
        models = [recipe.model for recipe in self.recipes]
        if len(set(models)) < len(models):
            raise InputError(f"Expected each model once. Received: {', '.join(models)}.")
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

    def spread_backend(self, backends):
        """Which of ``backends`` measures the spread."""
        return next(name for name in _FASTEST_FIRST if name in backends)

    def to_json(self):
        """The settings as plain values, without this machine's interpreters."""
        return {
            "recipes": [recipe.to_json() for recipe in self.recipes],
            "first_steps": self.first_steps,
            "spread_runs": self.spread_runs,
            "plans": self.plans,
            "data": self.data,
        }
