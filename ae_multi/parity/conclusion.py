"""Conclusion of a check: do the backends agree, where do they differ first, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ae_multi.parity.divergence import Divergence, Stage, format_error, format_value, listed
from ae_multi.parity.known_differences import LOSS, Match, match

if TYPE_CHECKING:
    from ae_multi.parity.report import Report

_NO_ADVICE = (
    "Reproduce it with Keras alone (--script FILE.py), and compare with a newer version of Keras "
    "or of the backend before reporting it."
)


@dataclass(frozen=True)
class Conclusion:
    """Conclusion of a check.

    Attributes:
        headline: one sentence that says whether the backends agree.
        facts: pairs of a label and a text, in the order in which they are printed.
        matches: known differences that may explain the first divergence.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    matches: tuple[Match, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the conclusion as a JSON-serialisable dict."""
        return {
            "headline": self.headline,
            "facts": [{"label": label, "text": text} for label, text in self.facts],
            "known_differences": [
                {"layer": found.layer, **found.difference.to_json()} for found in self.matches
            ],
        }


def conclude(report: Report) -> Conclusion:
    """Return the conclusion of a report."""
    first = report.first_divergence
    if first is None:
        return Conclusion("The backends agree.", tuple(_margin(report.stages)))
    precisions = " ".join(about.get("precision", "") for about in report.backends.values())
    matches = tuple(match(first, report.stages, report.oracle, precisions))
    facts = [
        ("First divergence", first.place_text),
        ("Size", "; ".join(map(first.amount, first.diverging))),
        *_effects(report.stages, first),
        *_explanations(matches),
    ]
    return Conclusion(_headline(first), tuple(facts), matches)


def _headline(first: Divergence) -> str:
    """Return a sentence about which backends differ from which."""
    diverging, agreeing = first.diverging, first.agreeing
    if not agreeing:
        return f"Backends differ: {listed(diverging)} differ from the float64 reference."
    if len(agreeing) == 1 and not first.reference:
        return (
            f"Backends differ: {listed(diverging)} from {agreeing[0]}, which agrees with float64."
        )
    verb = "is alone" if len(diverging) == 1 else "differ"
    return f"Backends differ: {listed(diverging)} {verb}; {listed(agreeing)} agree."


def _margin(stages: Sequence[Stage]) -> Iterator[tuple[str, str]]:
    """Yield the place that is closest to its bound, unless all errors are 0."""
    closest = max((stage.closest for stage in stages), key=lambda entry: entry.excess, default=None)
    if closest is not None and closest.excess:
        yield (
            "Closest to its bound",
            f"{closest.place_text} on {closest.worst}, at {closest.excess:.0%} of what rounding "
            "explains",
        )


def _effects(stages: Sequence[Stage], first: Divergence) -> Iterator[tuple[str, str]]:
    """Yield the effect of a divergence on the last loss and on the test error."""
    by_name = {stage.name: stage for stage in stages}
    if "losses" in by_name:
        last = by_name["losses"].entries[-1]
        count = by_name["losses"].compared
        steps = "1 step" if count == 1 else f"{count} steps"
        yield f"Loss after {steps}", _effect(last, first)
    if "training" in by_name:
        last = by_name["training"].entries[-1]
        yield last.name.capitalize(), _effect(last, first)


def _effect(entry: Divergence, first: Divergence) -> str:
    """Return a phrase about one number, such as a loss, on each diverging backend."""
    backends = [b for b in (*first.diverging, *entry.diverging) if b in entry.at]
    return (
        "; ".join(_number(entry, backend) for backend in dict.fromkeys(backends)) or "not recorded"
    )


def _number(entry: Divergence, backend: str) -> str:
    value, right = entry.at[backend]
    reference = f"on {entry.reference}" if entry.reference else "in float64"
    verdict = "beyond" if backend in entry.diverging else "within"
    return (
        f"{format_value(value)} on {backend}, {format_value(right)} {reference}: relative "
        f"difference {format_error(relative_gap(value, right))}, {verdict} what rounding explains"
    )


def relative_gap(value: float, right: float) -> float:
    """Return the difference of two numbers relative to the second; infinite if that is 0."""
    if value == right:
        return 0.0
    return abs(value - right) / abs(right) if right else float("inf")


def _explanations(matches: Sequence[Match]) -> Iterator[tuple[str, str]]:
    """Yield the known differences and what to do."""
    if not matches:
        yield "Known difference", "none that is listed in docs/differences.md"
        yield "What to do", _NO_ADVICE
    for found in matches:
        known = found.difference
        where = "The loss" if found.kind == LOSS else f"Layer {found.layer}"
        link = f" {known.link}" if known.link else ""
        yield (
            "Known difference",
            f"{known.title.replace('`', '')}. {where}, if {known.condition}. See "
            f"{known.section}{link}",
        )
        yield "What to do", known.advice
