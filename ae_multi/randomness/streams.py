"""Numbers that depend on (seed, purpose, step) and on nothing else.

Every random number of the package comes from here or from `noise`, never from a framework's
generator: those disagree with each other, and each remembers how often it was asked. A stream
here has no memory. Its bits come from Philox-4x64-10, a counter-based generator (Salmon et al.,
"Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), keyed by the seed and by a digest of
the purpose, with the step in the counter's topmost word, so that no two streams overlap.

NumPy promises that a bit generator's raw output never changes, and does not promise it for
`numpy.random.Generator`'s methods. So the raw bits are taken, and turned into numbers here.
"""

import hashlib
import operator

import numpy as np
from scipy.special import ndtr, ndtri

from ae_multi.errors import InputError

# So many places at most are sorted together with the numbers that order them: at this many, two
# numbers share the bits that are left of them once in 2,000 times.
_PACKED = 2**18


def stream(seed, purpose, step=0):
    """The bit generator of one purpose.

    Args:
        seed: integer, 0 to 2**64 - 1.
        purpose: what the numbers are for, "weights/encoder/code" say; any string.
        step: integer, 0 to 2**64 - 1: an epoch, say, or the number of a repeat.

    Returns:
        A `numpy.random.Philox` at the start of its stream.
    """
    key = int.from_bytes(hashlib.blake2b(purpose.encode(), digest_size=8).digest(), "little")
    return np.random.Philox(
        key=np.array([check_seed(seed), key], np.uint64),
        counter=np.array([0, 0, 0, step], np.uint64),
    )


def uniform(seed, purpose, shape, step=0):
    """Uniform numbers on [0, 1): float32 of ``shape``, multiples of 2**-24 (exact in float32)."""
    bits = stream(seed, purpose, step).random_raw(int(np.prod(shape)))
    return ((bits >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).reshape(shape)


def normal(seed, purpose, shape, bound=np.inf, step=0):
    """Standard normal numbers, float64 of ``shape``, cut off where they exceed ``bound``.

    Made by inverting the distribution function, one draw for one number, so that a number's
    place in the stream does not depend on the values before it.
    """
    bits = stream(seed, purpose, step).random_raw(int(np.prod(shape)))
    inside = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    low = ndtr(-bound)
    return ndtri(low + (1.0 - 2.0 * low) * inside).reshape(shape)


def permutation(seed, epoch, n):
    """The order in which epoch ``epoch`` visits ``n`` samples: int64 of shape (n,).

    A pure function of its arguments: training that goes on from epoch 7 sees the order that
    an unbroken training would have seen.
    """
    bits = stream(seed, "order", epoch).random_raw(n)
    return _places_in_order(bits) if n <= _PACKED else np.argsort(bits, kind="stable")


def _places_in_order(numbers):
    """``np.argsort(numbers, kind="stable")`` of uint64, a few times as fast for up to `_PACKED`.

    Numbers sort faster than places by numbers, so a place takes the room of the last bits.
    """
    last = np.uint64(_PACKED - 1)
    packed = np.sort((numbers & ~last) | np.arange(len(numbers), dtype=np.uint64))
    first = packed & ~last
    if (first[1:] == first[:-1]).any():  # then the bits that are left out count
        return np.argsort(numbers, kind="stable")
    return (packed & last).astype(np.int64)


def check_seed(seed):
    """Return ``seed`` as an int, or raise `InputError` if it is not one in 0 to 2**64 - 1."""
    try:
        value = operator.index(seed)
    except TypeError:
        value = -1
    if not 0 <= value < 2**64 or isinstance(seed, bool):
        raise InputError(f"Expected seed to be an integer from 0 to 2**64 - 1. Received: {seed!r}.")
    return value
