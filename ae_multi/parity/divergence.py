"""What a comparison of traces says of one place, and of one rung."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Divergence:
    """One place where a backend is off by more than rounding.

    Attributes:
        rung: a key of `ae_multi.parity.ladder.RUNGS`.
        place: position of the entry in its rung, from 0.
        name: the layer or weight, or the step.
        layer: class of the layer; empty where there is none.
        shape: shape of the values.
        error: dict of backend to largest error, relative to the largest value.
        bound: dict of backend to the error allowed.
        guilty: the backends beyond their bound.
        source: dict of backend to what its bound comes from, a key of
            `ae_multi.parity.bounds.SOURCES`.
    """

    rung: str
    place: int
    name: str
    layer: str
    shape: tuple
    error: dict
    bound: dict
    guilty: tuple
    source: dict

    def __str__(self):
        kind = f" ({self.layer})" if self.layer else ""
        rest = ", ".join(
            f"{backend} is off by {self.error[backend]:.1e} of the largest value, "
            f"{self._times(backend)} what rounding explains ({self.bound[backend]:.1e})"
            for backend in self.guilty
        )
        return f"{self.rung}: {self.name}{kind}, shape {self.shape}: {rest}"

    def _times(self, backend):
        if not self.bound[backend]:
            return "and nothing is"
        return f"{self.error[backend] / self.bound[backend]:.3g} times"

    @property
    def excess(self):
        """The largest error over its bound: above 1 where a backend is guilty."""
        return max(
            (self.error[b] / self.bound[b] if self.bound[b] else float("inf"))
            if self.error[b]
            else 0.0
            for b in self.error
        )


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        name: a key of `ae_multi.parity.ladder.RUNGS`.
        entries: a `Divergence` for each place that was compared, in order, within its bound or not.
    """

    name: str
    entries: list

    @property
    def compared(self):
        """How many places were compared."""
        return len(self.entries)

    @property
    def closest(self):
        """The entry closest to its bound or farthest beyond it."""
        return max(self.entries, key=lambda entry: entry.excess)

    @property
    def largest(self):
        """Dict of backend to its largest error on this rung."""
        backends = dict.fromkeys(backend for entry in self.entries for backend in entry.error)
        return {b: max(entry.error.get(b, 0.0) for entry in self.entries) for b in backends}

    @property
    def divergences(self):
        """Entries beyond their bounds, first things first."""
        return [entry for entry in self.entries if entry.guilty]

    @property
    def holds(self):
        """Whether every backend is within its bound everywhere."""
        return not self.divergences
