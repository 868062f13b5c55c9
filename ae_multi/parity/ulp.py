"""Perturbation of weights by units in the last place (ulp)."""

from collections.abc import Sequence

import numpy as np

from ae_multi.randomness.streams import stream


def perturb_by_ulp(
    weights: Sequence[np.ndarray], seed: int, run: int, ulps: int = 1
) -> list[np.ndarray]:
    """Move each float32 weight to a neighbouring float32 number, up or down at random.

    The change that this causes in a training is of the size that rounding errors alone can cause.

    Args:
        weights: float32 arrays; arrays of other dtypes are returned unchanged.
        seed: integer that determines the directions, together with ``run``.
        run: number of the repetition; each has directions of its own.
        ulps: how many numbers further each weight moves.

    Returns:
        List of arrays of the same shapes.
    """
    perturbed = []
    for place, weight in enumerate(weights):
        if weight.dtype != np.float32:
            perturbed.append(weight)  # for instance an integer counter
            continue
        bits = stream(seed, f"ulp/{place}", run).random_raw(weight.size)
        towards = np.where(bits >> np.uint64(63), np.float32(np.inf), np.float32(-np.inf))
        for _ in range(ulps):
            weight = np.nextafter(weight, towards.reshape(weight.shape))
        perturbed.append(weight)
    return perturbed
