"""How far perturbations like float32 rounding move the float64 reference, smoothly or by jumps.

Where the values depend smoothly on the weights, a perturbation that is k times as large moves them
k times as far. Some values jump instead: the derivative of a ReLU is 0 or 1, and so is that of
each of two equal values in a maximum. A unit whose input is zero but for rounding has one
derivative on one backend and the other on another, and every gradient before it differs by the
contribution of this unit. Such units are rare, so a perturbation of the size of rounding may
switch none of them although the rounding of a backend does. So two runs, the probes, are
perturbed much more: a perturbation that is k times as large switches about k times as many units.
The small probe shows whether there are so many units that a backend may switch one, the large one
shows what a switch does to each gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ae_multi.parity.bounds import CONDITIONED, largest, largest_error

if TYPE_CHECKING:
    from ae_multi.parity.trace import Trace

# Perturbations of the probes, of which forward passes and gradients are recorded, but no steps.
SMALL_PROBE, LARGE_PROBE = 64, 4096
# Perturbation of each run of the reference, in units of rounding.
PERTURBATIONS = (1, CONDITIONED, CONDITIONED, SMALL_PROBE, LARGE_PROBE)
# Values jump if the small probe moves them further than a smooth dependence by this factor.
_JUMP = 4
# The bound of a jump is `CONDITIONED` times this share of the distance of the large probe, twice
# the distance, since that switches several units where a backend switches one.
_SHARE_OF_PROBE = 2 / CONDITIONED
# Further stage of the float64 reference, with an entry for each one of the stage "one step": how
# far the errors that a gradient may have move each element of its weight.
ALLOWED_STEPS = "allowed steps"
# The distance of an array of fewer values may be small by chance, so it does not show jumps.
_LEAST_VALUES = 16


class PerturbedReference:
    """The float64 reference with its perturbed runs.

    Args:
        oracle: trace of the reference.
        runs: traces of the perturbed runs, or none.
    """

    def __init__(self, oracle: Trace, runs: Sequence[Trace]) -> None:
        self.oracle, self._runs = oracle, runs

    @cached_property
    def jumps(self) -> bool:
        """Whether gradients jump; then weights and losses jump, too."""
        return gradients_jump(self.oracle, self._runs)

    def allowed(self, stage: str, place: int) -> np.ndarray:
        """Return the absolute error of each value that does not count; 0 in most stages."""
        has_allowance = self._has_allowance(stage)
        return self.oracle.values(ALLOWED_STEPS)[place] if has_allowance else np.zeros(())

    def moves(self, stage: str, place: int) -> list[tuple[float, np.ndarray]]:
        """Return (perturbation, values) of each run at one place.

        `ALLOWED_STEPS` allows for what gradients within their bounds do, but not for what larger
        perturbations do, so runs with these do not count where there is an allowance.
        """
        moves = _moves(self._runs, stage, place)
        return [move for move in moves if move[0] == 1 or not self._has_allowance(stage)]

    def distance(self, stage: str, moves: Sequence[tuple[float, float]], size: int) -> float:
        """Return the `distance_per_rounding` of an array in one stage."""
        return distance_per_rounding(moves, size, "forward" not in stage and self.jumps)

    def _has_allowance(self, stage: str) -> bool:
        return stage == "one step" and ALLOWED_STEPS in self.oracle.stages


def _moves(runs: Sequence[Trace], stage: str, place: int) -> list[tuple[float, np.ndarray]]:
    return [(r.perturbation, r.values(stage)[place]) for r in runs if stage in r.stages]


def distance_per_rounding(
    moves: Sequence[tuple[float, float]], size: int, jumping: bool = False
) -> float:
    """Return the distance of a smooth dependence, or of the largest jump.

    Args:
        moves: (perturbation in units of rounding, distance that the reference moved) of each run.
        size: number of values of the array.
        jumping: whether the values are known to jump.
    """
    if jumping or is_jump(moves, size):
        shares = (d * (_SHARE_OF_PROBE if f >= SMALL_PROBE else 1) for f, d in moves)
        return max(shares, default=0.0)
    return max((distance / factor for factor, distance in moves), default=0.0)


def is_jump(moves: Sequence[tuple[float, float]], size: int) -> bool:
    """Return whether the small probe moves an array of ``size`` values by jumps."""
    # A run of the size of rounding may meet a jump, too, so the least distance is the smooth one.
    smooth = min((d / factor for factor, d in moves if factor < SMALL_PROBE), default=None)
    if smooth is None or size < _LEAST_VALUES:
        return False
    return any(d > _JUMP * factor * smooth for factor, d in moves if factor == SMALL_PROBE)


def gradients_jump(oracle: Trace, perturbed: Sequence[Trace]) -> bool:
    """Return whether a gradient of the first batch jumps; then weights and losses jump, too."""
    for place, entry in enumerate(oracle.stages.get("gradient", [])):
        exact = entry["values"]
        scale = largest(exact) or 1.0
        moves = [
            (factor, largest_error(values, exact, scale)[0])
            for factor, values in _moves(perturbed, "gradient", place)
        ]
        if is_jump(moves, exact.size):
            return True
    return False
