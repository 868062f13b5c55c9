"""Initial weights that are the same, bit for bit, on every backend."""

import math

import numpy as np

from ae_multi._keras import keras
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
        initializer: a Keras initializer or its name. Random ones may be of the variance-scaling
            family (Glorot, He, LeCun), uniform, normal, truncated normal or orthogonal.
        seed: integer, 0 to 2**64 - 1.
        name: string that tells this weight from the others of the model; two weights of the
            same seed and name and size start equal.

    Raises:
        InputError: a seed that is no such integer, or a random initializer of another kind.
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
    """Numbers of a Keras initializer's distribution: NumPy float32 of ``shape``."""
    if not is_random(initializer):
        return keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))
    kinds = keras.initializers
    if isinstance(initializer, kinds.VarianceScaling):
        return _variance_scaling(initializer, shape, seed, purpose)
    if isinstance(initializer, kinds.RandomUniform):
        low, high = np.float32(initializer.minval), np.float32(initializer.maxval)
        return low + (high - low) * uniform(seed, purpose, shape)
    if isinstance(initializer, kinds.RandomNormal | kinds.TruncatedNormal):
        bound = 2.0 if isinstance(initializer, kinds.TruncatedNormal) else np.inf
        numbers = normal(seed, purpose, shape, bound)
        return (initializer.mean + initializer.stddev * numbers).astype(np.float32)
    if isinstance(initializer, kinds.Orthogonal):
        return _orthogonal(initializer.gain, shape, seed, purpose)
    raise InputError(
        "Expected an initializer of a distribution that can be drawn alike on every backend "
        "(variance scaling, uniform, normal, truncated normal, orthogonal, or a constant). "
        f"Received: {type(initializer).__name__}, for the weight {purpose!r}."
    )


def is_random(initializer):
    """Whether a Keras initializer asks for random numbers; Keras's random ones hold a seed."""
    return hasattr(initializer, "seed") or isinstance(initializer, Seeded)


def _variance_scaling(initializer, shape, seed, purpose):
    """Glorot & Bengio (AISTATS 2010, eq. 16), He et al. (ICCV 2015, eq. 10) and their kin."""
    fan_in, fan_out = fans(shape)
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


def fans(shape):
    """How many inputs and outputs one unit of a kernel of ``shape`` has, as Keras counts them.

    The last two axes are channels in and out, those before them a receptive field.
    """
    shape = tuple(shape)
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def _orthogonal(gain, shape, seed, purpose):
    """Saxe et al. (ICLR 2014): the Q of a normal matrix's QR, with signs that make it uniform."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(normal(seed, purpose, tall))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)
