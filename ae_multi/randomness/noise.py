"""Random numbers inside the graph: a hash of a counter, in operations every backend has.

Integers of 32 bits wrap alike on PyTorch, TensorFlow, JAX and NumPy, and the top 24 bits of
one are a float32 without rounding. So each number is hash(seed, step, position), the bits are
the same everywhere, and no state is kept but the step.
"""

import hashlib
import math
from functools import cache

import numpy as np
from scipy.special import ndtri

from ae_multi._keras import keras
from ae_multi.randomness.streams import check_seed

ops = keras.ops


def bits(shape, seed, step, purpose="noise"):
    """32 random bits for each place of ``shape``, as an int32 tensor.

    Args:
        shape: tuple of integers or of scalar integer tensors.
        seed: integer, 0 to 2**64 - 1.
        step: integer or scalar int32 tensor; each step has numbers of its own.
        purpose: string; each purpose has numbers of its own.
    """
    first, second, third = _keys(check_seed(seed), purpose)
    # Known as integers, or on JAX as symbols while Keras works out the shapes of a model.
    known = not any(ops.is_tensor(size) for size in shape)
    count = math.prod(shape) if known else ops.prod(ops.stack(shape))
    place = ops.arange(count, dtype="int32")
    mixed = mix(ops.bitwise_xor(place, np.int32(first)))
    moment = mix(ops.bitwise_xor(ops.convert_to_tensor(step, "int32"), np.int32(second)))
    mixed = mix(ops.bitwise_xor(ops.add(mixed, moment), np.int32(third)))
    return ops.reshape(mixed, shape)


def uniform(shape, seed, step, purpose="noise"):
    """Uniform numbers on [0, 1): a float32 tensor of ``shape``, multiples of 2**-24."""
    top = _shift_right(bits(shape, seed, step, purpose), 8)
    return ops.multiply(ops.cast(top, "float32"), np.float32(2**-24))


def normal(shape, stddev, seed, step, purpose="noise"):
    """Normal numbers of mean 0: a float32 tensor of ``shape``, the same bits on every backend.

    The top 16 bits look up one of 65,536 quantiles, already multiplied by ``stddev``: no
    logarithm, cosine or fused multiplication is left in which backends could differ. The
    farthest value is 4.2 standard deviations out, and the variance short by 2e-5 of itself.
    """
    index = _shift_right(bits(shape, seed, step, purpose), 16)
    return ops.take(ops.convert_to_tensor(_quantiles(float(stddev))), index, axis=0)


def mix(x):
    """A bijection of 32 bits in which each input bit flips each output bit half of the time.

    Shifts and multipliers of Chris Wellons's "lowbias32" (public domain, 2018).
    """
    x = ops.bitwise_xor(x, _shift_right(x, 16))
    x = ops.multiply(x, np.int32(0x7FEB352D))
    x = ops.bitwise_xor(x, _shift_right(x, 15))
    x = ops.multiply(x, np.int32(0x846CA68B - 2**32))
    return ops.bitwise_xor(x, _shift_right(x, 16))


def _shift_right(x, count):
    # A signed shift drags the sign in from the left; the mask takes it out again.
    return ops.bitwise_and(ops.right_shift(x, np.int32(count)), np.int32(2 ** (32 - count) - 1))


@cache
def _keys(seed, purpose):
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=12).digest()
    return np.frombuffer(digest, "<i4").tolist()


@cache
def _quantiles(stddev):
    return (stddev * ndtri((np.arange(2**16) + 0.5) / 2**16)).astype(np.float32)
