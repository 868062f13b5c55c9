"""Perturbation of weights by units in the last place (ulp)."""

from collections.abc import Sequence

import numpy as np

from ae_multi.randomness.streams import stream

_POSITION_OF_INFINITY = 0x7F800000


def perturb_by_ulp(
    weights: Sequence[np.ndarray], seed: int, run: int, ulps: int = 1
) -> list[np.ndarray]:
    """Move each float32 weight by ``ulps`` float32 numbers, up or down at random.

    With 1, the change is of the size that rounding can cause.

    Args:
        weights: float32 arrays; arrays of other dtypes are returned unchanged.
        seed: integer that determines the directions, together with ``run``.
        run: number of the run; the directions of each run differ.
        ulps: number of neighbouring float32 numbers by which each weight moves.

    Returns:
        List of arrays of the same shapes.
    """
    perturbed = []
    for place, weight in enumerate(weights):
        if weight.dtype != np.float32:
            perturbed.append(weight)  # for instance an integer counter
            continue
        bits = stream(seed, f"ulp/{place}", run).random_raw(weight.size)
        steps = np.where(bits >> np.uint64(63), ulps, -ulps).reshape(weight.shape)
        perturbed.append(_from_positions(_positions(weight) + steps))
    return perturbed


def _positions(numbers: np.ndarray) -> np.ndarray:
    """Return the positions of numbers in the ascending order of float32: int64, 0 for 0.0."""
    # The bits of floating-point numbers without the sign are in the order of the numbers.
    bits = np.asarray(numbers, order="C").view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _from_positions(positions: np.ndarray) -> np.ndarray:
    """Return the float32 numbers at positions, and infinity at those beyond infinity."""
    sizes = np.minimum(np.abs(positions), _POSITION_OF_INFINITY).astype(np.int32)
    return np.copysign(sizes.view(np.float32), positions).astype(np.float32)
