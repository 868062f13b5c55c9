"""Random numbers inside the graph: a hash of a counter, in operations that every backend has.

Integers of 32 bits overflow in the same way on PyTorch, TensorFlow, JAX and NumPy, and the top 24
bits of an integer are converted to float32 without rounding. So each number is hash(seed, step,
position), its bits are the same on every backend, and the step is the only state.
"""

import hashlib
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtri

from ae_multi._keras import keras
from ae_multi.randomness.streams import check_seed
from ae_multi.workers.splitting import current_split

ops = keras.ops


def bits(shape: Sequence[Any], seed: int, step: Any, purpose: str = "noise") -> Any:
    """Draw 32 random bits for each element of ``shape``, as an int32 tensor.

    Args:
        shape: tuple of integers or of scalar integer tensors.
        seed: integer, 0 to 2**64 - 1.
        step: integer or scalar int32 tensor; each step has different numbers.
        purpose: string; each purpose has different numbers.
    """
    first, second, third = _keys(check_seed(seed), purpose)
    # Sizes are integers, or on JAX symbols while Keras infers the shapes of a model.
    is_known = not any(ops.is_tensor(size) for size in shape)
    count = math.prod(shape) if is_known else ops.prod(ops.stack(shape))
    position = ops.arange(count, dtype="int32")
    group = current_split()
    if group is not None:  # the numbers of this worker's rows of the complete batch
        position = ops.add(position, ops.cast(count * group.rank, "int32"))
    mixed = mix(ops.bitwise_xor(position, np.int32(first)))
    mixed_step = mix(ops.bitwise_xor(ops.convert_to_tensor(step, "int32"), np.int32(second)))
    mixed = mix(ops.bitwise_xor(ops.add(mixed, mixed_step), np.int32(third)))
    return ops.reshape(mixed, shape)


def uniform(shape: Sequence[Any], seed: int, step: Any, purpose: str = "noise") -> Any:
    """Draw uniform numbers on [0, 1): a float32 tensor of ``shape``, multiples of 2**-24.

    The arguments are those of `bits`.
    """
    top = _shift_right(bits(shape, seed, step, purpose), 8)
    return ops.multiply(ops.cast(top, "float32"), np.float32(2**-24))


def normal(
    shape: Sequence[Any], stddev: float, seed: int, step: Any, purpose: str = "noise"
) -> Any:
    """Draw normal numbers of mean 0: a float32 tensor of ``shape``.

    The top 16 bits are the index of one of 65,536 quantiles, which are already multiplied by
    ``stddev``. So there is no logarithm, cosine or fused multiplication in which backends could
    differ, and the bits are the same on every backend. The largest absolute value is 4.2 standard
    deviations, and the variance is too small by 2e-5 of itself.

    The arguments are those of `bits`, and ``stddev``, the standard deviation.
    """
    index = _shift_right(bits(shape, seed, step, purpose), 16)
    return ops.take(ops.convert_to_tensor(_quantiles(float(stddev))), index, axis=0)


def mix(x: Any) -> Any:
    """Hash int32 numbers by a bijection with the avalanche effect.

    Each input bit flips each output bit half of the time. The shifts and multipliers are those of
    Chris Wellons's "lowbias32" (public domain, 2018).
    """
    x = ops.bitwise_xor(x, _shift_right(x, 16))
    x = ops.multiply(x, np.int32(0x7FEB352D))
    x = ops.bitwise_xor(x, _shift_right(x, 15))
    x = ops.multiply(x, np.int32(0x846CA68B - 2**32))
    return ops.bitwise_xor(x, _shift_right(x, 16))


def _shift_right(x: Any, count: int) -> Any:
    # A signed shift copies the sign bit to the left bits; the mask clears them.
    return ops.bitwise_and(ops.right_shift(x, np.int32(count)), np.int32(2 ** (32 - count) - 1))


@cache
def _keys(seed: int, purpose: str) -> list[int]:
    digest = hashlib.blake2b(f"{seed}/{purpose}".encode(), digest_size=12).digest()
    return np.frombuffer(digest, "<i4").tolist()


@cache
def _quantiles(stddev: float) -> np.ndarray:
    return (stddev * ndtri((np.arange(2**16) + 0.5) / 2**16)).astype(np.float32)
