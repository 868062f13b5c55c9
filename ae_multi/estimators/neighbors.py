"""Nearest neighbors of samples among stored training samples."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ae_multi.randomness.streams import stream

# Enough to represent the data, and few enough to be compared with every sample.
MAX_SAMPLES = 8000
# The best values of `nox -s choices` on splits of training data.
IMAGE_NEIGHBORS, TABLE_NEIGHBOR_SHARE = 3, 0.1
_IMAGE_WEIGHT, _TABLE_WEIGHT = 2.0, 1.0
_MAX_VALUES_AT_ONCE = 2**24  # float32 numbers in one block: 64 MiB


def draw_samples(
    chunks: Iterable[np.ndarray], seed: int, limit: int = MAX_SAMPLES
) -> np.ndarray | None:
    r"""Draw up to ``limit`` samples from chunks, each with the same probability.

    Each sample draws a random number, and those with the smallest numbers are kept, so the total
    need not be known in advance (reservoir sampling by sorting: Efraimidis & Spirakis, "Weighted
    random sampling with a reservoir", 2006, with equal weights).

    Args:
        chunks: iterable of arrays of shape (n, \*sample shape).
        seed: seed of the draw.
        limit: largest number of samples.

    Returns:
        Array of samples in their original order; None without chunks.
    """
    samples, keys = None, np.empty(0, np.uint64)
    for number, x in enumerate(chunks):
        keys = np.concatenate([keys, stream(seed, "known", number).random_raw(len(x))])
        samples = x if samples is None else np.concatenate([samples, x])
        order = np.sort(np.argsort(keys, kind="stable")[:limit])
        samples, keys = samples[order], keys[order]
    return samples


def number_of(neighbors: int | Literal["auto"], known: int, images: bool) -> int:
    """Return the number of neighbors, with "auto" resolved.

    "auto" is 3 for images and a tenth of the stored samples for tables. Anomalous rows in the
    training data of a table form groups whose members are near each other; a group of less than a
    tenth of the data is too small for its members to appear normal.

    Args:
        neighbors: an integer, or "auto".
        known: number of stored samples.
        images: whether samples are images.
    """
    if neighbors != "auto":
        return neighbors
    return IMAGE_NEIGHBORS if images else max(round(TABLE_NEIGHBOR_SHARE * known), 1)


def weight_of(weight: float | Literal["auto"], images: bool) -> float:
    """Return the weight of the distance to the neighbors, with "auto" resolved."""
    if weight != "auto":
        return weight
    return _IMAGE_WEIGHT if images else _TABLE_WEIGHT


def squared_differences(points: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """Return the mean squared difference of each value to those of the nearest known points.

    Args:
        points: float32 (n, values).
        known: float32 (m, values).
        count: number of neighbors, at most m - 1. The nearest point is skipped, since it is the
            training sample itself if ``points`` holds one; a single known point is not skipped.

    Returns:
        float32 (n, values), whose sum over a row is the mean squared distance.
    """
    first, last = places(count, len(known))
    search, centre = _search(known, last + 1)
    result = np.empty_like(points)
    for rows in blocks(len(points), (last + 1) * points.shape[1]):
        nearest = search.kneighbors(points[rows] - centre, return_distance=False)[:, first:]
        result[rows] = np.square(points[rows][:, np.newaxis] - known[nearest]).mean(axis=1)
    return result


def mean_squared_distances(points: np.ndarray, known: np.ndarray, count: int) -> np.ndarray:
    """Return the sum over a row of `squared_differences`, without the values: float64 (n,)."""
    first, last = places(count, len(known))
    search, centre = _search(known, last + 1)
    result = np.empty(len(points))
    for rows in blocks(len(points), last + 1):
        distances = search.kneighbors(points[rows] - centre)[0][:, first:]
        result[rows] = np.square(distances, dtype=np.float64).mean(axis=1)
    return result


def _search(known: np.ndarray, count: int) -> tuple[NearestNeighbors, np.ndarray]:
    """Return a search for the nearest known points, and the centre that it is relative to."""
    centre = known.mean(axis=0)  # distances from there lose fewer digits to large values
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(known - centre), centre


def places(count: int, known: int) -> tuple[int, int]:
    """Return the ranks (first, last) of the neighbors to use among ``known`` stored samples.

    Rank 0, the nearest, is used only if there is no other.
    """
    return min(1, known - 1), min(count, known - 1)


def blocks(samples: int, values: int) -> list[slice]:
    """Return slices of ``samples`` rows with about `_MAX_VALUES_AT_ONCE` numbers each.

    Args:
        samples: number of rows.
        values: numbers per row.
    """
    size = max(1, _MAX_VALUES_AT_ONCE // max(values, 1))
    return [slice(begin, begin + size) for begin in range(0, samples, size)]
