"""Give Keras's own random layers and initializers the same numbers on every backend.

Only for processes that compare backends: it replaces functions inside Keras for good. Every
random number of Keras comes from a few functions of its backend, and each is asked with a seed
that Keras itself keeps alike everywhere. So those functions are replaced by the counter hash of
`ae_multi.randomness.noise`, keyed by that seed. Initial weights (drawn outside any compiled
program) then are equal to the bit, masks too; noise that is scaled inside a compiled program may
differ in its last bit.
"""

import random
from functools import cache

import numpy as np
from scipy.special import ndtr, ndtri

from ae_multi._keras import keras
from ae_multi._keras_internals import random_module
from ae_multi.randomness import noise
from ae_multi.randomness.initializers import draw

ops = keras.ops

# Asked by few layers, and left to the backend; a trace names those that were asked.
_LEFT_ALONE = ("beta", "binomial", "categorical", "gamma", "shuffle")


def install(seed):
    """Replace Keras's random functions in this process.

    Args:
        seed: integer that stands for every seed that a model leaves open.

    Returns:
        A set that fills with the names of the random functions that could not be made alike and
        were asked all the same.
    """
    # Where no seed is given Keras draws one from Python's generator, in the order of building.
    random.seed(seed)
    backend = random_module()
    for function in (uniform, normal, truncated_normal, randint, dropout):
        setattr(backend, function.__name__, function)
    # Its QR decomposition is a library's, another on each backend; NumPy's serves for all.
    keras.initializers.Orthogonal.__call__ = _orthogonal
    asked = set()
    for name in _LEFT_ALONE:
        setattr(backend, name, _noted(getattr(backend, name), name, asked))
    return asked


def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """As `keras.random.uniform`."""
    numbers = ops.cast(noise.uniform(_sizes(shape), 0, _moment(seed), "uniform"), _float(dtype))
    return ops.add(ops.multiply(numbers, maxval - minval), minval)


def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """As `keras.random.normal`."""
    numbers = noise.normal(_sizes(shape), 1.0, 0, _moment(seed), "normal")
    return ops.add(ops.multiply(ops.cast(numbers, _float(dtype)), stddev), mean)


def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """As `keras.random.truncated_normal`: cut off at two standard deviations."""
    top = noise.uniform(_sizes(shape), 0, _moment(seed), "truncated")
    index = ops.cast(ops.multiply(top, 2**16), "int32")
    numbers = ops.take(ops.convert_to_tensor(_quantiles()), index, axis=0)
    return ops.add(ops.multiply(ops.cast(numbers, _float(dtype)), stddev), mean)


def randint(shape, minval, maxval, dtype="int32", seed=None):
    """As `keras.random.randint`, for ranges of fewer than 2**24 integers."""
    numbers = noise.uniform(_sizes(shape), 0, _moment(seed), "randint")
    return ops.cast(ops.floor(ops.multiply(numbers, maxval - minval)), dtype) + minval


def dropout(inputs, rate, noise_shape=None, seed=None):
    """As `keras.random.dropout`."""
    sizes = list(ops.shape(inputs))
    for axis, size in enumerate(noise_shape or ()):
        sizes[axis] = sizes[axis] if size is None else size
    kept = noise.uniform(tuple(sizes), 0, _moment(seed), "dropout") >= rate
    scaled = ops.multiply(inputs, ops.cast(1.0 / (1.0 - rate), inputs.dtype))
    return ops.where(kept, scaled, ops.zeros_like(inputs))


def _orthogonal(initializer, shape, dtype=None):
    moment = int(ops.convert_to_numpy(_moment(initializer.seed))) & 0xFFFFFFFF
    return ops.convert_to_tensor(draw(initializer, shape, moment, "orthogonal"), _float(dtype))


def _moment(seed):
    """One int32 for a Keras seed: an integer, a pair (seed, counter), or what holds such a pair."""
    if hasattr(seed, "next"):
        seed = seed.next()
    if seed is None:
        seed = keras.random.SeedGenerator().next()
    if isinstance(seed, int):
        seed = np.array([seed & 0x7FFFFFFF, 0])
    pair = ops.cast(seed, "int32")
    return ops.add(noise.mix(pair[0]), pair[1])


@cache
def _quantiles():
    """The 65,536 quantiles of a standard normal that is cut off at two standard deviations."""
    low = ndtr(-2.0)
    places = (np.arange(2**16) + 0.5) / 2**16
    return ndtri(low + (1 - 2 * low) * places).astype(np.float32)


def _sizes(shape):
    return tuple(int(size) if isinstance(size, np.integer) else size for size in shape)


def _float(dtype):
    return keras.backend.standardize_dtype(dtype or keras.config.floatx())


def _noted(function, name, asked):
    def noting(*args, **kwargs):
        asked.add(name)
        return function(*args, **kwargs)

    return noting
