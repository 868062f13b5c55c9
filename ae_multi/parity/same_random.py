"""Replacement of Keras's random functions that returns the same numbers on every backend.

Only processes that compare backends use it, because it replaces functions inside Keras permanently.
Keras draws random numbers by a few functions of its backend, which receive a seed that is the same
on all backends. `install` replaces these functions by the counter hash of
`ae_multi.randomness.noise`, with that seed as the key. Masks and initial weights, which are drawn
outside of compiled programs, are then equal bit for bit. Noise that is scaled inside a compiled
program may differ in its last bit.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from ae_multi._keras import keras
from ae_multi._keras_internals import random_module
from ae_multi.randomness import noise
from ae_multi.randomness.initializers import draw

ops = keras.ops

# Not replaced, since few layers use them. A trace lists those that the model calls.
_NOT_REPLACED = ("beta", "binomial", "categorical", "gamma", "shuffle")


def install(seed: int) -> set[str]:
    """Replace Keras's random functions in this process.

    Args:
        seed: integer, seed of Python's generator, from which a layer without a seed draws one.

    Returns:
        A set to which the name of each called function that is not replaced is added. The numbers
        of such functions differ between backends.
    """
    # Layers without a seed draw one from Python's generator in the order of their construction.
    random.seed(seed)
    backend = random_module()
    for function in (uniform, normal, truncated_normal, randint, dropout):
        setattr(backend, function.__name__, function)
    # The QR decompositions of the backends differ, so NumPy's is used on all of them.
    keras.initializers.Orthogonal.__call__ = _orthogonal
    called: set[str] = set()
    for name in _NOT_REPLACED:
        setattr(backend, name, _recorded(getattr(backend, name), name, called))
    return called


def uniform(
    shape: Sequence[Any],
    minval: Any = 0.0,
    maxval: Any = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> Any:
    """Replacement of `keras.random.uniform`."""
    numbers = ops.cast(noise.uniform(_sizes(shape), 0, _moment(seed), "uniform"), _float(dtype))
    return ops.add(ops.multiply(numbers, maxval - minval), minval)


def normal(
    shape: Sequence[Any],
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> Any:
    """Replacement of `keras.random.normal`."""
    numbers = noise.normal(_sizes(shape), 1.0, 0, _moment(seed), "normal")
    return ops.add(ops.multiply(ops.cast(numbers, _float(dtype)), stddev), mean)


def truncated_normal(
    shape: Sequence[Any],
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: str | None = None,
    seed: Any = None,
) -> Any:
    """Replacement of `keras.random.truncated_normal`, truncated at two standard deviations."""
    top = noise.uniform(_sizes(shape), 0, _moment(seed), "truncated")
    index = ops.cast(ops.multiply(top, 2**16), "int32")
    numbers = ops.take(ops.convert_to_tensor(_quantiles()), index, axis=0)
    return ops.add(ops.multiply(ops.cast(numbers, _float(dtype)), stddev), mean)


def randint(
    shape: Sequence[Any], minval: Any, maxval: Any, dtype: str = "int32", seed: Any = None
) -> Any:
    """Replacement of `keras.random.randint`, for ranges of fewer than 2**24 integers."""
    numbers = noise.uniform(_sizes(shape), 0, _moment(seed), "randint")
    return ops.cast(ops.floor(ops.multiply(numbers, maxval - minval)), dtype) + minval


def dropout(
    inputs: Any, rate: float, noise_shape: Sequence[Any] | None = None, seed: Any = None
) -> Any:
    """Replacement of `keras.random.dropout`."""
    sizes = list(ops.shape(inputs))
    for axis, size in enumerate(noise_shape or ()):
        sizes[axis] = sizes[axis] if size is None else size
    mask = noise.uniform(tuple(sizes), 0, _moment(seed), "dropout") >= rate
    scaled = ops.multiply(inputs, ops.cast(1.0 / (1.0 - rate), inputs.dtype))
    return ops.where(mask, scaled, ops.zeros_like(inputs))


def _orthogonal(initializer: Any, shape: Sequence[int], dtype: str | None = None) -> Any:
    moment = int(ops.convert_to_numpy(_moment(initializer.seed))) & 0xFFFFFFFF
    return ops.convert_to_tensor(draw(initializer, shape, moment, "orthogonal"), _float(dtype))


def _moment(seed: Any) -> Any:
    """Return an int32 for a Keras seed: an integer, a pair (seed, counter) or a `SeedGenerator`."""
    if hasattr(seed, "next"):
        seed = seed.next()
    if seed is None:
        seed = keras.random.SeedGenerator().next()
    if isinstance(seed, int):
        seed = np.array([seed & 0x7FFFFFFF, 0])
    pair = ops.cast(seed, "int32")
    return ops.add(noise.mix(pair[0]), pair[1])


@cache
def _quantiles() -> np.ndarray:
    """Return 65,536 quantiles of the standard normal truncated at two standard deviations."""
    low = ndtr(-2.0)
    places = (np.arange(2**16) + 0.5) / 2**16
    return ndtri(low + (1 - 2 * low) * places).astype(np.float32)


def _sizes(shape: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(int(size) if isinstance(size, np.integer) else size for size in shape)


def _float(dtype: str | None) -> str:
    return keras.backend.standardize_dtype(dtype or keras.config.floatx())


def _recorded(function: Callable[..., Any], name: str, called: set[str]) -> Callable[..., Any]:
    """Return ``function`` with each call recorded in ``called``."""

    def run(*args: Any, **kwargs: Any) -> Any:
        called.add(name)
        return function(*args, **kwargs)

    return run
