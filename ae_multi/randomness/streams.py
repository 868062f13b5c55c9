"""Random numbers that are pure functions of (seed, purpose, step).

Every random number of the package comes from here or from `noise`. No framework random generator
is used: their numbers differ, and each has a state that changes with every call. A stream has no
such state. Its bits come from Philox-4x64-10, a counter-based generator (Salmon et al., "Parallel
Random Numbers: As Easy as 1, 2, 3", SC 2011). The key is the seed and a digest of the purpose, and
the step is the topmost word of the counter, so that no two streams overlap.

NumPy guarantees that the raw output of a bit generator never changes, but not the output of the
methods of `numpy.random.Generator`. So this module converts the raw bits to numbers itself.
"""

import hashlib
import operator
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np
from scipy.special import ndtr, ndtri

from ae_multi.errors import InputError

# Up to this number of indices are packed into the last bits of the numbers that order them. At this
# size, two numbers are equal in their remaining bits once in 2,000 permutations.
_MAX_PACKED = 2**18


def stream(seed: SupportsIndex, purpose: str, step: int = 0) -> np.random.Philox:
    """Return the bit generator of one purpose, at the start of its stream.

    Args:
        seed: integer, 0 to 2**64 - 1.
        purpose: any string that says what the numbers are for, such as "weights/encoder/code".
        step: integer, 0 to 2**64 - 1, such as an epoch or the number of a repeat.
    """
    key = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    return np.random.Philox(
        key=np.array([check_seed(seed), key], np.uint64),
        counter=np.array([0, 0, 0, step], np.uint64),
    )


def uniform(
    seed: SupportsIndex, purpose: str, shape: int | Sequence[int], step: int = 0
) -> np.ndarray:
    """Draw uniform numbers on [0, 1): float32 of ``shape``, multiples of 2**-24 (exact)."""
    bits = stream(seed, purpose, step).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).reshape(shape)


def normal(
    seed: SupportsIndex,
    purpose: str,
    shape: int | Sequence[int],
    bound: float = np.inf,
    step: int = 0,
) -> np.ndarray:
    """Draw standard normal numbers, truncated to [-bound, bound]: float64 of ``shape``.

    The distribution function is inverted, one draw per number, so that a number's position in the
    stream does not depend on the values before it.
    """
    bits = stream(seed, purpose, step).random_raw(int(np.prod(shape)))
    inside = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    low = ndtr(-bound)
    return ndtri(low + (1.0 - 2.0 * low) * inside).reshape(shape)


def permutation(seed: SupportsIndex, epoch: int, n: int) -> np.ndarray:
    """Return the order of ``n`` samples in an epoch: int64 of shape (n,).

    The order is a pure function of the arguments, so a training that resumes at epoch 7 sees the
    order of an uninterrupted training.
    """
    bits = stream(seed, "order", epoch).random_raw(n)
    return _places_in_order(bits) if n <= _MAX_PACKED else np.argsort(bits, kind="stable")


def _places_in_order(numbers: np.ndarray) -> np.ndarray:
    """Return ``np.argsort(numbers, kind="stable")`` of up to `_MAX_PACKED` uint64.

    This is a few times as fast, because `np.sort` is faster than `np.argsort`: each index replaces
    the last bits of its number, and the numbers are sorted.
    """
    last = np.uint64(_MAX_PACKED - 1)
    packed = np.sort((numbers & ~last) | np.arange(len(numbers), dtype=np.uint64))
    first = packed & ~last
    if (first[1:] == first[:-1]).any():  # the order depends on the bits that were replaced
        return np.argsort(numbers, kind="stable")
    return (packed & last).astype(np.int64)


def check_seed(seed: SupportsIndex) -> int:
    """Return ``seed`` as an int.

    Raises:
        InputError: a seed that is not an integer from 0 to 2**64 - 1.
    """
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value < 2**64 or isinstance(seed, bool):
        raise InputError(f"Expected seed to be an integer from 0 to 2**64 - 1. Received: {seed!r}.")
    return value
