"""What a comparison of traces says of one place, and of one stage."""

import math
from dataclasses import asdict, dataclass, field

from ae_multi.selection import FORWARD_ONLY

# A larger relative error says nothing but that the values are others; then they are shown.
LARGEST_RELATIVE = 1e3
_SMALLEST_RELATIVE = 1e-30
# What reports of version 0.1 call attributes, where that is another name.
_RECORDED_NAMES = {"stage": "rung", "diverging": "guilty"}


@dataclass(frozen=True)
class Divergence:
    """One place that was compared, and what each backend is off by.

    Attributes:
        stage: a key of `ae_multi.parity.stages.STAGES`.
        place: position of the entry in its stage, from 0.
        name: the layer or weight, or the step.
        layer: class of the layer; empty where there is none.
        shape: shape of the values.
        error: dict of backend to largest error, relative to ``scale``; of integers, absolute.
        bound: dict of backend to the error allowed.
        diverging: the backends that train and are beyond their bound. They decide the verdict.
        source: dict of backend to what its bound comes from, a key of
            `ae_multi.parity.bounds.SOURCES`.
        remarks: the backends beyond their bound that only run forward.
        scale: what errors are relative to.
        measure: what that is, in words; "" for integers, whose errors are absolute.
        at: dict of backend to (its value, the right one) where its error is largest.
        reference: backend whose values the others are compared with; "" for the float64 reference.
    """

    stage: str
    place: int
    name: str
    layer: str
    shape: tuple
    error: dict
    bound: dict
    diverging: tuple
    source: dict
    remarks: tuple = ()
    scale: float = 1.0
    measure: str = "largest value"
    at: dict = field(default_factory=dict)
    reference: str = ""

    def __str__(self):
        return self.describe(self.diverging)

    def to_json(self):
        """The divergence as plain values, under the names that recorded reports have."""
        return {_RECORDED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @property
    def agreeing(self):
        """The backends within their bounds."""
        beyond = (*self.diverging, *self.remarks)
        return tuple(backend for backend in self.error if backend not in beyond)

    def describe(self, backends):
        """What is to be said of some backends here, as one sentence."""
        kind = f" ({self.layer})" if self.layer else ""
        head = f"{self.stage}: {self.name}{kind}, shape {self.shape}"
        if backends and self.agreeing:
            verb = "differs" if len(backends) == 1 else "differ"
            agree = ", which agree" if len(self.agreeing) > 1 else ""
            head = f"{head}: {listed(backends)} {verb} from {listed(self.agreeing)}{agree}"
        return f"{head}: " + ", ".join(map(self._amount, backends))

    def _amount(self, backend):
        """By how much a backend is off, in words."""
        error, bound = self.error[backend], self.bound[backend]
        says_little = not _SMALLEST_RELATIVE < error <= LARGEST_RELATIVE
        if backend in self.at and (says_little or not self.measure):
            value, right = self.at[backend]
            return f"{backend} has {_shown(value)} where {_shown(right)} is right"
        if not bound:
            return f"{backend} is off by {error:.1e} of the {self.measure}, and nothing is allowed"
        return (
            f"{backend} is off by {error:.1e} of the {self.measure}, {error / bound:.3g} times "
            f"what rounding explains ({bound:.1e})"
        )

    @property
    def excess(self):
        """The largest error over its bound, of backends that train: above 1 where one diverges."""
        return max(map(self.share, self._deciding))

    @property
    def worst(self):
        """The backend, of those that train, that is closest to its bound or farthest beyond it."""
        return max(self._deciding, key=self.share)

    @property
    def _deciding(self):
        return [b for b in self.error if b not in FORWARD_ONLY] or list(self.error)

    def share(self, backend):
        """A backend's error over its bound."""
        if not self.error[backend]:
            return 0.0
        return self.error[backend] / self.bound[backend] if self.bound[backend] else math.inf


def listed(names):
    """Names as a sentence lists them."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _shown(value):
    return f"{value:.9g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Stage:
    """One stage of a comparison.

    Attributes:
        name: a key of `ae_multi.parity.stages.STAGES`.
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
        """Dict of backend to its largest error in this stage."""
        backends = dict.fromkeys(backend for entry in self.entries for backend in entry.error)
        return {b: max(entry.error.get(b, 0.0) for entry in self.entries) for b in backends}

    @property
    def divergences(self):
        """Entries beyond their bounds, first things first."""
        return [entry for entry in self.entries if entry.diverging]

    @property
    def remarks(self):
        """Entries where a backend that only runs forward is beyond its bound."""
        return [entry for entry in self.entries if entry.remarks]

    @property
    def holds(self):
        """Whether every backend that trains is within its bound everywhere."""
        return not self.divergences
