"""Training samples that are remembered, and how far from them others lie."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from ae_multi.randomness.streams import stream

# As many are a fair picture of the data, and few enough to be compared with every sample.
MAX_SAMPLES = 8000
# What `nox -s choices` finds best on parts of training data.
IMAGE_NEIGHBORS, TABLE_NEIGHBOR_SHARE = 3, 0.1
_IMAGES, _TABLES = 2.0, 1.0
_MAX_VALUES_AT_ONCE = 2**24  # float32 numbers that are handled at once: 64 MiB


def some(chunks, seed):
    r"""Up to `MAX_SAMPLES` of all samples, drawn evenly from data that come in chunks.

    Each sample draws a number and those of the smallest stay, so that none needs to know how many
    will come (reservoir sampling by sorting: Efraimidis & Spirakis, "Weighted random sampling with
    a reservoir", 2006, of equal weights).

    Args:
        chunks: iterable of arrays, (n, \*sample shape).
        seed: integer that fixes the draw.
    """
    kept, drawn = None, np.empty(0, np.uint64)
    for number, x in enumerate(chunks):
        drawn = np.concatenate([drawn, stream(seed, "known", number).random_raw(len(x))])
        kept = x if kept is None else np.concatenate([kept, x])
        order = np.sort(np.argsort(drawn, kind="stable")[:MAX_SAMPLES])
        kept, drawn = kept[order], drawn[order]
    return kept


def number_of(neighbors, known, images):
    """How many neighbors ``neighbors`` means, where so many samples are known.

    "auto": three for images, a tenth of what is known for tables. Strange rows in the training data
    of a table come in groups, in which they are near each other; a group of less than a tenth of
    the data has too few members to pass for normal.
    """
    if neighbors != "auto":
        return neighbors
    return IMAGE_NEIGHBORS if images else max(round(TABLE_NEIGHBOR_SHARE * known), 1)


def weight_of(weight, images):
    """What the way to the neighbors weighs where ``weight`` is "auto", or ``weight`` itself."""
    if weight != "auto":
        return weight
    return _IMAGES if images else _TABLES


def squared_differences(points, known, count):
    """Mean squared difference of each value to those of the nearest known points.

    Args:
        points: float32 (n, values).
        known: float32 (m, values).
        count: how many are near: of m - 1, since the nearest one of all does not count. To a
            training sample that is itself. A single known point counts, all the same.

    Returns:
        float32 (n, values), whose sum over a row is the mean squared distance.
    """
    first, last = places(count, len(known))
    centre = known.mean(axis=0)  # distances from there lose fewer digits to large values
    search = NearestNeighbors(n_neighbors=last + 1, algorithm="brute").fit(known - centre)
    result = np.empty_like(points)
    for rows in blocks(len(points), (last + 1) * points.shape[1]):
        nearest = search.kneighbors(points[rows] - centre, return_distance=False)[:, first:]
        result[rows] = np.square(points[rows][:, np.newaxis] - known[nearest]).mean(axis=1)
    return result


def places(count, known):
    """The places of the nearest and the farthest neighbor that count, where so many are known."""
    return min(1, known - 1), min(count, known - 1)


def blocks(samples, values):
    """Slices of so many samples that each has about `_MAX_VALUES_AT_ONCE` numbers."""
    size = max(1, _MAX_VALUES_AT_ONCE // max(values, 1))
    return [slice(begin, begin + size) for begin in range(0, samples, size)]
