"""The smallest change a weight can suffer."""

import numpy as np

from ae_multi.randomness.streams import stream


def perturb_by_ulp(weights, seed, run):
    """Each float32 weight moved to its neighbour, up or down by a coin of (seed, run).

    The difference that this makes to a training is what rounding alone can make of it.

    Args:
        weights: list of float32 arrays; arrays of other types stay as they are.
        seed: integer.
        run: number of the repeat; each has coins of its own.

    Returns:
        List of arrays of the same shapes.
    """
    moved = []
    for place, weight in enumerate(weights):
        if weight.dtype != np.float32:
            moved.append(weight)  # a counter has no neighbour
            continue
        bits = stream(seed, f"ulp/{place}", run).random_raw(weight.size)
        towards = np.where(bits >> np.uint64(63), np.float32(np.inf), np.float32(-np.inf))
        moved.append(np.nextafter(weight, towards.reshape(weight.shape)))
    return moved
