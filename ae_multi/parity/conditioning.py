"""Change of the float64 reference under perturbations like float32 rounding, smooth or by jumps.

Where values depend smoothly on the weights, a perturbation that is k times as large changes them k
times as much. Discontinuous values jump instead. The derivative of a ReLU is 0 or 1, and so is that
of a maximum with respect to each of two equal values. A unit whose input is zero except for
rounding may have the derivative 0 on one backend and 1 on another: it switches. The gradients of
all layers before it then differ by the contribution of this unit.

Such units are rare. A perturbation of the size of rounding may switch none of them, although the
rounding of a backend switches one. So two further runs, the probes, are perturbed much more: a
perturbation that is k times as large switches about k times as many units. The small probe shows
whether a backend may switch a unit. The large probe shows how much a switch changes each gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ae_multi.parity.bounds import CONDITIONED, UNIT_ROUNDOFF, largest, largest_error

if TYPE_CHECKING:
    from ae_multi.parity.trace import Trace

# Perturbations of the probes, of which forward passes and gradients are recorded, but no steps.
SMALL_PROBE, LARGE_PROBE = 64, 4096
# Perturbation of each run of the reference, in units of rounding.
PERTURBATIONS = (1, CONDITIONED, CONDITIONED, SMALL_PROBE, LARGE_PROBE)
# Values jump if the small probe changes them by more than this factor times a smooth change.
_JUMP = 4
# Share of the distance of a probe that counts where values jump. The bound is `CONDITIONED` times
# this share, twice the distance.
_SHARE_OF_PROBE = 2 / CONDITIONED
# Additional stage of the float64 reference. It has an entry for each entry of the stage "one step":
# the change of each element of a weight if its gradient has the largest allowed error.
ALLOWED_STEPS = "allowed steps"
# An array of fewer values may change little by chance, so jumps cannot be detected in it.
_LEAST_VALUES = 16


class PerturbedReference:
    """The float64 reference with its perturbed runs.

    Args:
        oracle: float64 trace of the reference.
        runs: traces of the perturbed runs; may be empty.
    """

    def __init__(self, oracle: Trace, runs: Sequence[Trace]) -> None:
        self.oracle, self._runs = oracle, runs

    @cached_property
    def jumps(self) -> bool:
        """Whether gradients jump. If they do, weights and losses jump, too."""
        return gradients_jump(self.oracle, self._runs)

    @property
    def roundoff(self) -> float:
        """Unit roundoff of the rounding that the perturbed runs imitate."""
        return self.oracle.about.get("roundoff", UNIT_ROUNDOFF)

    def allowed(self, stage: str, place: int) -> np.ndarray:
        """Return the allowed absolute error of each value at one place; 0 in most stages."""
        has_allowance = self._has_allowance(stage)
        return self.oracle.values(ALLOWED_STEPS)[place] if has_allowance else np.zeros(())

    def moves(self, stage: str, place: int) -> list[tuple[float, np.ndarray]]:
        """Return (perturbation, values) of each run at one place.

        `ALLOWED_STEPS` contains the effect of gradients within their bounds, but not that of larger
        perturbations. So in a stage to which it applies, only runs with the perturbation 1 are
        returned.
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
    """Return the change of an array for a perturbation of the size of rounding.

    For values that depend smoothly on the weights, it is the largest distance / perturbation of all
    runs. For values that jump, it is the largest distance, that of a probe times `_SHARE_OF_PROBE`.

    Args:
        moves: (perturbation in units of rounding, distance from the reference) of each run.
        size: number of values of the array.
        jumping: whether the values are known to jump; otherwise `is_jump` decides.
    """
    if jumping or is_jump(moves, size):
        shares = (d * (_SHARE_OF_PROBE if f >= SMALL_PROBE else 1) for f, d in moves)
        return max(shares, default=0.0)
    return max((distance / factor for factor, distance in moves), default=0.0)


def is_jump(moves: Sequence[tuple[float, float]], size: int) -> bool:
    """Return whether the small probe moves an array of ``size`` values by jumps."""
    # A smaller perturbation may cause a jump, too, so its least change is taken as the smooth one.
    smooth = min((d / factor for factor, d in moves if factor < SMALL_PROBE), default=None)
    if smooth is None or size < _LEAST_VALUES:
        return False
    return any(d > _JUMP * factor * smooth for factor, d in moves if factor == SMALL_PROBE)


def gradients_jump(oracle: Trace, perturbed: Sequence[Trace]) -> bool:
    """Return whether any gradient of the first batch jumps."""
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
