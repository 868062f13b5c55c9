"""Results of a comparison of traces: `Divergence` for one entry and `Stage` for one stage."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ae_multi.backend_selection import FORWARD_ONLY

# Outside of this range a relative error says only that the values differ. The two values are shown
# instead.
LARGEST_RELATIVE = 1e3
_SMALLEST_RELATIVE = 1e-30
# Attribute: its key in JSON reports, whose names are those of version 0.1.
_RECORDED_NAMES = {"stage": "rung", "diverging": "guilty"}


@dataclass(frozen=True)
class Divergence:
    """Errors and bounds of every backend at one place of a comparison.

    Attributes:
        stage: a key of `ae_multi.parity.stages.STAGES`.
        place: position of the entry in its stage, from 0.
        name: name of the layer, the weight or the step.
        layer: class of the layer, or "".
        shape: shape of the values.
        error: dict of backend to largest error, divided by ``scale``.
        bound: dict of backend to the allowed error.
        diverging: backends that can train and exceed their bound. They decide the verdict.
        source: dict of backend to the source of its bound, a key of
            `ae_multi.parity.bounds.SOURCES`.
        remarks: forward-only backends that exceed their bound.
        scale: number that the errors are divided by.
        measure: name of the scale; "" for integers, whose values are shown instead of an error.
        at: dict of backend to (its value, the reference's value) where its error is largest. If
            the types differ, their names; if only unsampled values differ, two digests.
        reference: backend whose values the others are compared with; "" for the float64 reference.
    """

    stage: str
    place: int
    name: str
    layer: str
    shape: tuple[int, ...]
    error: dict[str, float]
    bound: dict[str, float]
    diverging: tuple[str, ...]
    source: dict[str, str]
    remarks: tuple[str, ...] = ()
    scale: float = 1.0
    measure: str = "largest value"
    at: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    reference: str = ""

    def __str__(self) -> str:
        return self.describe(self.diverging)

    def to_json(self) -> dict[str, Any]:
        """Return the divergence as a dict with the keys of recorded reports."""
        return {_RECORDED_NAMES.get(name, name): value for name, value in asdict(self).items()}

    @property
    def agreeing(self) -> tuple[str, ...]:
        """The backends within their bounds."""
        beyond = (*self.diverging, *self.remarks)
        return tuple(backend for backend in self.error if backend not in beyond)

    def describe(self, backends: Sequence[str]) -> str:
        """Return a sentence about the errors of ``backends`` at this place."""
        head = self.place_text.replace(", ", ": ", 1)
        if backends and self.agreeing:
            verb = "differs" if len(backends) == 1 else "differ"
            agree = ", which agree" if len(self.agreeing) > 1 else ""
            head = f"{head}: {listed(backends)} {verb} from {listed(self.agreeing)}{agree}"
        return f"{head}: " + ", ".join(map(self.amount, backends))

    @property
    def place_text(self) -> str:
        """Stage, name, class of the layer and shape, as one phrase."""
        kind = f" ({self.layer})" if self.layer else ""
        return f"{self.stage}, {self.name}{kind}, shape {self.shape}"

    def amount(self, backend: str) -> str:
        """Return a phrase about the error of one backend."""
        error, bound = self.error[backend], self.bound[backend]
        is_extreme = not _SMALLEST_RELATIVE < error <= LARGEST_RELATIVE
        if backend in self.at and (is_extreme or not self.measure):
            value, right = self.at[backend]
            return f"{backend} has {format_value(value)} where {format_value(right)} is right"
        if is_extreme and error:
            return f"{backend} is off by {format_error(error)} of the {self.measure}"
        if not bound:
            return f"{backend} is off by {error:.1e} of the {self.measure}, and nothing is allowed"
        return (
            f"{backend} is off by {error:.1e} of the {self.measure}, {error / bound:.3g} times "
            f"what rounding explains ({bound:.1e})"
        )

    @property
    def excess(self) -> float:
        """The largest error over its bound among backends that can train; above 1 if one diverges.

        If no backend can train, the forward-only backends count.
        """
        return max(map(self.share, self._deciding))

    @property
    def worst(self) -> str:
        """The backend whose error over its bound is `excess`."""
        return max(self._deciding, key=self.share)

    @property
    def _deciding(self) -> list[str]:
        return [b for b in self.error if b not in FORWARD_ONLY] or list(self.error)

    def share(self, backend: str) -> float:
        """Return the error of a backend over its bound; infinite for an error with a bound of 0."""
        if not self.error[backend]:
            return 0.0
        return self.error[backend] / self.bound[backend] if self.bound[backend] else math.inf


def listed(names: Sequence[str]) -> str:
    """Return the names as a list in a sentence: "a, b and c"."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def format_value(value: Any) -> str:
    """Format a value of an array; return the name of a type or a digest as it is."""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def format_error(error: float) -> str:
    """Format a relative error.

    Where the scale is nearly 0, the digits of the error say nothing. So an error above
    `LARGEST_RELATIVE` is formatted as ">1e3", and one that is not finite as "not comparable".
    """
    if not math.isfinite(error):
        return "not comparable"
    if not error:
        return "0"
    return f"{error:.1e}" if error <= LARGEST_RELATIVE else f">1e{math.log10(LARGEST_RELATIVE):.0f}"


@dataclass(frozen=True)
class Stage:
    """Result of one stage of a comparison.

    Attributes:
        name: a key of `ae_multi.parity.stages.STAGES`.
        entries: a `Divergence` for each compared place, in order, within its bound or not.
    """

    name: str
    entries: list[Divergence]

    @property
    def compared(self) -> int:
        """Number of compared places."""
        return len(self.entries)

    @property
    def closest(self) -> Divergence:
        """The entry with the largest error over its bound."""
        return max(self.entries, key=lambda entry: entry.excess)

    @property
    def largest(self) -> dict[str, float]:
        """Dict of backend to its largest error in this stage."""
        backends = dict.fromkeys(backend for entry in self.entries for backend in entry.error)
        return {b: max(entry.error.get(b, 0.0) for entry in self.entries) for b in backends}

    @property
    def divergences(self) -> list[Divergence]:
        """Entries in which a backend that can train exceeds its bound, in order."""
        return [entry for entry in self.entries if entry.diverging]

    @property
    def remarks(self) -> list[Divergence]:
        """Entries in which a forward-only backend exceeds its bound."""
        return [entry for entry in self.entries if entry.remarks]

    @property
    def holds(self) -> bool:
        """Whether every backend that can train is within its bound in every entry."""
        return not self.divergences
