"""Errors and bounds of the entries of one stage, for values that may differ by rounding."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi.parity.bounds import (
    REASONED,
    UNIT_ROUNDOFF,
    bounds,
    largest,
    largest_error,
    scale_of,
    terms_forward,
    terms_of_a_step,
)
from ae_multi.parity.conditioning import PerturbedReference
from ae_multi.parity.divergence import Divergence
from ae_multi.parity.majority import blame_reference
from ae_multi.parity.sampling import step_size
from ae_multi.parity.trace import Trace

_FORWARD = ("forward", "training forward")
_STEPS = ("losses", "epoch")


class RoundingComparison:
    """Comparison of the entries of one stage with bounds for rounding errors.

    The bounds of an entry depend on the entries before it, so `compare` is called for all entries
    in order.

    Args:
        stage: a key of `ae_multi.parity.stages.STAGES`.
        reference: the oracle and its perturbed runs.
        roundoff: unit roundoff of the values that are compared.
        backends: names of the backends that are compared.
        extra_terms: number of terms to add to every entry's terms.
    """

    def __init__(
        self,
        stage: str,
        reference: PerturbedReference,
        roundoff: float,
        backends: Sequence[str],
        extra_terms: float,
    ) -> None:
        oracle = reference.oracle
        self._reference = reference
        # Allowed absolute error of each value of the last entry.
        self._allowed = np.zeros(())
        self._stage, self._oracle, self._roundoff = stage, oracle, roundoff
        self._before = _terms_before(stage, oracle) + extra_terms
        self._terms: float = 0
        self._moved = 0.0
        # The summation errors of a layer remain in the outputs of later layers.
        self._summed = 0.0 if stage in _FORWARD else _all_sums(oracle)
        self._worst = dict.fromkeys(backends, 0.0)
        # The errors of a negligible gradient are relative to the largest gradient. The first entry
        # of the stage is the loss.
        gradients = oracle.values(stage)[1:] if stage == "gradient" else []
        self._largest = max((largest(g) for g in gradients), default=0.0)
        # Bounds of the last entry without the amount that depends on other backends' errors.
        self._independent_bounds: dict[str, float] = {}
        # The errors of a weight that starts at 0 and hardly changes are relative to the largest
        # step of a weight.
        self._step = 0.0
        if stage == "one step":
            self._trained = {entry["name"] for entry in oracle.stages["gradient"][1:]}
            steps = [
                _step_of(oracle, place)
                for place, after in enumerate(oracle.stages["one step"])
                if after["name"] in self._trained
            ]
            self._step = max(steps, default=0.0)

    def compare(
        self,
        place: int,
        exact: Mapping[str, Any],
        values: Mapping[str, np.ndarray],
        moves: Sequence[tuple[float, np.ndarray]],
    ) -> dict[str, Any]:
        """Return the errors and bounds of a `Divergence` at one place.

        Args:
            place: position of the entry in its stage, from 0.
            exact: the oracle's entry.
            values: dict of backend to array.
            moves: (size of the perturbation, array) of each perturbed oracle.

        Returns:
            Dict of ``error``, ``bound``, ``source``, ``scale``, ``measure`` and ``at``.
        """
        stage, each = self._stage, exact.get("each", False)
        allowed = self._reference.allowed(stage, place) * self._roundoff / self._reference.roundoff
        self._allowed = allowed
        terms = exact["terms"] + self._before + self._terms
        size = exact.get("scale", 0.0)
        if stage == "one step":
            size = max(size, largest(self._oracle.values("start")[place]))
        fallback = max(self._largest, size)
        if stage == "one step" and exact["name"] in self._trained:
            fallback = max(fallback, self._step)
        threshold = REASONED * self._roundoff * terms**0.5
        scale, is_fallback = scale_of(exact["values"], fallback, threshold)
        measure = "exact value" if each else "largest value"
        if is_fallback:
            other = "largest step" if stage == "one step" else "largest gradient"
            measure = "size of its terms" if size >= fallback else other
        errors = {
            b: largest_error(v, exact["values"], scale, each, allowed) for b, v in values.items()
        }
        error = {backend: result[0] for backend, result in errors.items()}
        distances = [
            (factor, largest_error(array, exact["values"], scale, each, allowed)[0])
            for factor, array in moves
        ]
        moved = [self._reference.distance(stage, distances, exact["values"].size)]
        if "moved" in exact:
            moved.append(exact["moved"] / (1.0 if each else scale))
        if stage in _STEPS and not each:
            # The error of a single number may be small by chance, so the largest error so far is
            # compared.
            self._worst = error = {b: max(error[b], self._worst[b]) for b in error}
            moved = [*moved, self._moved]
        self._moved = max(moved, default=0.0)
        adam = _optimizer_error(stage, place, self._oracle, len(error), scale)
        summed = self._summed + exact.get("summation", 0.0) / scale
        if stage in _FORWARD:
            self._terms, self._summed = terms, summed
        amounts = {
            "terms": terms,
            "moved": self._moved,
            "optimizer": adam * min(self._roundoff / UNIT_ROUNDOFF, 1.0),
            "roundoff": self._roundoff,
            "summation": summed,
            "cancellation": size / scale,
            "perturbation": self._reference.roundoff,
        }
        bound, source = bounds(error, **amounts)
        self._independent_bounds = bounds(dict.fromkeys(error, 0.0), **amounts)[0]
        at = {backend: result[1:] for backend, result in errors.items()}
        return {
            "error": error,
            "bound": bound,
            "source": source,
            "scale": scale,
            "measure": measure,
            "at": at,
        }

    def attribute(
        self, entry: Divergence, exact: Mapping[str, Any], values: Mapping[str, np.ndarray]
    ) -> Divergence:
        """Attribute the last entry to the reference's backend if only that backend differs.

        Args:
            entry: result of the last call of `compare`.
            exact: the oracle's entry.
            values: dict of backend to array.

        Returns:
            ``entry`` itself, or the result of `ae_multi.parity.majority.blame_reference`.
        """
        if set(entry.source.values()) <= {"bits"}:
            return entry
        backend = self._oracle.name
        scale: Any = entry.scale
        if exact.get("each", False):
            scale = np.maximum(np.abs(exact["values"]), UNIT_ROUNDOFF * scale)
        # In float64 the only trace of the reference's backend is the oracle.
        all_values: dict[Any, Any] = {backend: exact["values"], **values}
        return blame_reference(
            entry, all_values, backend, scale, self._independent_bounds, 2 * self._allowed
        )


def gradient_bounds(reference: PerturbedReference) -> list[float]:
    """Return the largest allowed absolute error of each gradient of the first batch.

    The entry of the loss, the first one of the stage, is left out.
    """
    rounding = RoundingComparison("gradient", reference, reference.roundoff, ["oracle"], 0)
    found = []
    for place, exact in enumerate(reference.oracle.stages["gradient"]):
        moves = reference.moves("gradient", place)
        part = rounding.compare(place, exact, {"oracle": exact["values"]}, moves)
        found.append(part["bound"]["oracle"] * part["scale"])
    return found[1:]


def _all_sums(oracle: Trace) -> float:
    """Return the sum of the relative errors of plain summation in all layers."""
    return sum(
        entry.get("summation", 0.0) / scale_of(entry["values"])[0]
        for entry in oracle.stages["training forward"]
    )


def _terms_before(stage: str, oracle: Trace) -> float:
    """Return the number of terms that enter a stage's values before its first entry."""
    if stage in ("gradient", "one step", "losses"):
        return terms_of_a_step(oracle.stages)
    # The perturbed oracles, not a count, bound the errors that accumulate over an epoch's steps.
    return terms_forward(oracle.stages) if stage == "epoch" else 0


def _optimizer_error(stage: str, place: int, oracle: Trace, backends: int, scale: float) -> float:
    """Return the error of a weight or a loss from Adam's bias correction in float32.

    It affects the first step of a weight. It also affects the losses, on all backends equally. If
    there are several backends, the amount "others" covers it, and this amount is 0.
    """
    error = oracle.about.get("optimizer_roundoff", 0.0)
    if stage == "one step":
        return error * _step_of(oracle, place) / scale
    return error if stage == "losses" and backends == 1 else 0.0


def _step_of(oracle: Trace, place: int) -> float:
    """Return the largest change of one weight by the first step."""
    after = oracle.stages["one step"][place]
    if "step" in after:
        return after["step"]
    return step_size(oracle.values("start")[place], after["values"])
