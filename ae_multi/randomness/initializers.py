"""Initial weights that are the same, bit for bit, on every backend."""

import contextlib
import itertools
import math
import threading

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import compute_fans, random_module
from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed, normal, uniform

# What a normal distribution's standard deviation becomes when it is cut off at two of them.
_TRUNCATED_STDDEV = 0.87962566103423978


@keras.saving.register_keras_serializable("ae_multi")
class Seeded(keras.initializers.Initializer):
    """A Keras initializer's distribution, drawn from the project's own streams.

    Keras's initializers ask the backend's generator and so give different weights on each
    backend. This one takes the distribution alone from them and computes the numbers in NumPy:

    >>> layer = keras.layers.Dense(9, kernel_initializer=Seeded("glorot_uniform", 0, "code"))

    Args:
        initializer: a Keras initializer or its name. Initializers of your own are supported where
            they compute their values from Keras's `keras.random.uniform`, `normal` and
            `truncated_normal`, or from no random numbers at all.
        seed: integer, 0 to 2**64 - 1.
        name: string that tells this weight from the others of the model; two weights of the
            same seed and name and size start equal.

    Raises:
        InputError: a seed that is no such integer; when called, an initializer that takes random
            numbers from elsewhere.
    """

    def __init__(self, initializer="glorot_uniform", seed=0, name=""):
        self.initializer = keras.initializers.get(initializer)
        self.seed = check_seed(seed)
        self.name = name

    def __call__(self, shape, dtype=None):
        """Return a tensor of ``shape``; its values do not depend on the backend."""
        values = draw(self.initializer, shape, self.seed, f"weights/{self.name}")
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def get_config(self):
        """The arguments, for saving."""
        return {
            "initializer": keras.saving.serialize_keras_object(self.initializer),
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        """The way back from `get_config`."""
        config = dict(config)
        config["initializer"] = keras.saving.deserialize_keras_object(config["initializer"])
        return cls(**config)


def draw(initializer, shape, seed, purpose):
    """Numbers of an initializer's distribution: NumPy float32 of ``shape``.

    Raises:
        InputError: an initializer whose numbers cannot be made the same on every backend.
    """
    kinds = keras.initializers
    if _computes_as(initializer, kinds.VarianceScaling):
        return _variance_scaling(initializer, shape, seed, purpose)
    if _computes_as(initializer, kinds.RandomUniform):
        low, high = np.float32(initializer.minval), np.float32(initializer.maxval)
        return low + (high - low) * uniform(seed, purpose, shape)
    if _computes_as(initializer, kinds.RandomNormal, kinds.TruncatedNormal):
        bound = 2.0 if isinstance(initializer, kinds.TruncatedNormal) else np.inf
        numbers = normal(seed, purpose, shape, bound)
        return (initializer.mean + initializer.stddev * numbers).astype(np.float32)
    if _computes_as(initializer, kinds.Orthogonal):
        return _orthogonal(initializer.gain, shape, seed, purpose)
    return _called(initializer, shape, seed, purpose)[0]


def is_random(initializer, shape):
    """Whether an initializer's values for ``shape`` are drawn, and not already from a seed."""
    kinds = keras.initializers
    fixed = (kinds.Zeros, kinds.Ones, kinds.Constant, kinds.Identity, kinds.STFT, Seeded)
    if _computes_as(initializer, *fixed):
        return False
    if hasattr(initializer, "seed"):
        return True
    return _called(initializer, shape, 0, "weights")[1]


def _computes_as(initializer, *kinds):
    """Whether an initializer is of one of ``kinds`` and does not override its computation."""
    return any(
        isinstance(initializer, kind) and type(initializer).__call__ is kind.__call__
        for kind in kinds
    )


def _called(initializer, shape, seed, purpose):
    """(float32 values of any callable initializer, whether it draws random numbers)."""
    results = []
    for _ in range(2):
        with _keras_random_from_streams(seed, purpose) as drawn:
            values = keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))
        results.append(values)
    if not np.array_equal(*results, equal_nan=True):
        name = getattr(initializer, "__name__", type(initializer).__name__)
        raise InputError(
            "Expected an initializer whose random numbers come from Keras, so that they can be "
            f"the same on every backend. Received: {name}, for {purpose!r}, whose values differ "
            "from call to call. Use keras.random in it, or ae_multi.randomness.Seeded."
        )
    return results[0].astype(np.float32, copy=False), bool(drawn)


@contextlib.contextmanager
def _keras_random_from_streams(seed, purpose):
    """Let Keras's random functions draw from the project's streams, in this thread.

    Yields:
        List of the functions that have been called.
    """
    module, here = random_module(), threading.get_ident()
    drawn, numbers = [], itertools.count()

    def normal_(shape, mean=0.0, stddev=1.0, dtype=None, seed=None, bound=np.inf):
        values = mean + stddev * normal(root, f"{purpose}/{next(numbers)}", shape, bound)
        return _tensor(values, dtype)

    def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        return normal_(shape, mean, stddev, dtype, bound=2.0)

    def uniform_(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        values = uniform(root, f"{purpose}/{next(numbers)}", shape)
        return _tensor(minval + (maxval - minval) * values.astype(np.float64), dtype)

    def refused(name):
        def refuse(*args, **kwargs):
            raise InputError(
                "Expected an initializer that draws uniform, normal or truncated normal numbers. "
                f"Received: one that calls keras.random.{name}, for {purpose!r}."
            )

        return refuse

    root = seed
    ours = {"normal": normal_, "truncated_normal": truncated_normal, "uniform": uniform_}
    for name in ("categorical", "randint", "dropout", "shuffle", "gamma", "binomial", "beta"):
        ours[name] = refused(name)
    theirs = {name: getattr(module, name) for name in ours}

    def switched(name):
        def function(*args, **kwargs):
            if threading.get_ident() != here:
                return theirs[name](*args, **kwargs)
            drawn.append(name)
            return ours[name](*args, **kwargs)

        return function

    for name in ours:
        setattr(module, name, switched(name))
    try:
        yield drawn
    finally:
        for name, function in theirs.items():
            setattr(module, name, function)


def _tensor(values, dtype):
    return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())


def _variance_scaling(initializer, shape, seed, purpose):
    """Glorot & Bengio (AISTATS 2010, eq. 16), He et al. (ICCV 2015, eq. 10) and their kin."""
    # Kernels of EinsumDense say which of their axes are inputs and outputs.
    axes = initializer.input_axes, initializer.output_axes
    fan_in, fan_out = compute_fans(shape, *axes)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    variance = initializer.scale / max(1.0, fan[initializer.mode])
    if initializer.distribution == "uniform":
        limit = np.float32(math.sqrt(3.0 * variance))
        # 2u - 1 is exact in float32, so the one rounding is that of the product.
        return limit * (np.float32(2) * uniform(seed, purpose, shape) - np.float32(1))
    if initializer.distribution == "truncated_normal":
        stddev = math.sqrt(variance) / _TRUNCATED_STDDEV
        return (stddev * normal(seed, purpose, shape, bound=2.0)).astype(np.float32)
    return (math.sqrt(variance) * normal(seed, purpose, shape)).astype(np.float32)


def _orthogonal(gain, shape, seed, purpose):
    """Saxe et al. (ICLR 2014): the Q of a normal matrix's QR, with signs that make it uniform."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(normal(seed, purpose, tall))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)
