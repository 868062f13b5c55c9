"""Initial weights that are bit-identical on every backend."""

import contextlib
import itertools
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import compute_fans, random_module
from ae_multi.errors import InputError
from ae_multi.randomness.streams import check_seed, normal, uniform

# Standard deviation of a standard normal distribution that is truncated to [-2, 2].
_TRUNCATED_STDDEV = 0.87962566103423978


@keras.saving.register_keras_serializable("ae_multi")
class Seeded(keras.initializers.Initializer):
    """Initializer that draws from the distribution of a Keras initializer, from `streams`.

    Keras's initializers use the backend's random generator, so their weights differ between
    backends. This one uses only their distribution and computes the numbers in NumPy:

    >>> layer = keras.layers.Dense(9, kernel_initializer=Seeded("glorot_uniform", 0, "code"))

    Args:
        initializer: a Keras initializer or its name. Custom initializers are supported if they
            compute their values from `keras.random.uniform`, `normal` and `truncated_normal`, or
            without random numbers.
        seed: integer, 0 to 2**64 - 1.
        name: string that distinguishes this weight from the others of the model; weights of the
            same seed, name and size start with equal values.

    Raises:
        InputError: an invalid seed; when called, an initializer that uses other random numbers.
    """

    def __init__(
        self, initializer: str | Callable = "glorot_uniform", seed: int = 0, name: str = ""
    ):
        self.initializer = keras.initializers.get(initializer)
        self.seed = check_seed(seed)
        self.name = name

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        """Return a tensor of ``shape``; its values do not depend on the backend."""
        values = draw(self.initializer, shape, self.seed, f"weights/{self.name}")
        return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {
            "initializer": keras.saving.serialize_keras_object(self.initializer),
            "seed": self.seed,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Seeded":
        """Create an initializer from the dict of `get_config`."""
        config = dict(config)
        config["initializer"] = keras.saving.deserialize_keras_object(config["initializer"])
        return cls(**config)


def draw(initializer: Any, shape: Sequence[int], seed: int, purpose: str) -> np.ndarray:
    """Draw numbers from an initializer's distribution, the same on every backend.

    Args:
        initializer: a Keras initializer, or a custom one as in `Seeded`.
        shape: shape of the weight.
        seed: integer, 0 to 2**64 - 1.
        purpose: string that identifies the weight.

    Returns:
        float32 array of ``shape``.

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


def is_random(initializer: Callable, shape: Sequence[int]) -> bool:
    """Return whether an initializer draws random numbers; False for `Seeded`."""
    kinds = keras.initializers
    fixed = (kinds.Zeros, kinds.Ones, kinds.Constant, kinds.Identity, kinds.STFT, Seeded)
    if _computes_as(initializer, *fixed):
        return False
    if hasattr(initializer, "seed"):
        return True
    return _called(initializer, shape, 0, "weights")[1]


def _computes_as(initializer: Any, *kinds: type) -> bool:
    """Return whether an initializer is of one of ``kinds`` and does not override `__call__`."""
    return any(
        isinstance(initializer, kind) and type(initializer).__call__ is kind.__call__
        for kind in kinds
    )


def _called(
    initializer: Callable, shape: Sequence[int], seed: int, purpose: str
) -> tuple[np.ndarray, bool]:
    """Call any initializer, with Keras's random functions replaced.

    Returns:
        (float32 values, whether the initializer draws random numbers).
    """
    results = []
    for _ in range(2):
        with _keras_random_from_streams(seed, purpose) as drawn:
            values = keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))
        results.append(values)
    if not np.array_equal(results[0], results[1], equal_nan=True):
        name = getattr(initializer, "__name__", type(initializer).__name__)
        raise InputError(
            "Expected an initializer whose random numbers come from Keras, so that they can be "
            f"the same on every backend. Received: {name}, for {purpose!r}, whose values differ "
            "from call to call. Use keras.random in it, or ae_multi.randomness.Seeded."
        )
    return results[0].astype(np.float32, copy=False), bool(drawn)


@contextlib.contextmanager
def _keras_random_from_streams(seed: int, purpose: str) -> Iterator[list[str]]:
    """Replace Keras's random functions by draws from `streams`, in this thread.

    Yields:
        List of the names of the functions that have been called.
    """
    module, here = random_module(), threading.get_ident()
    drawn: list[str] = []
    numbers = itertools.count()

    def normal_(shape, mean=0.0, stddev=1.0, dtype=None, seed=None, bound=np.inf):
        values = mean + stddev * normal(root, f"{purpose}/{next(numbers)}", shape, bound)
        return _tensor(values, dtype)

    def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
        return normal_(shape, mean, stddev, dtype, bound=2.0)

    def uniform_(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
        values = uniform(root, f"{purpose}/{next(numbers)}", shape)
        return _tensor(minval + (maxval - minval) * values.astype(np.float64), dtype)

    def unsupported(name):
        def fail(*args, **kwargs):
            raise InputError(
                "Expected an initializer that draws uniform, normal or truncated normal numbers. "
                f"Received: one that calls keras.random.{name}, for {purpose!r}."
            )

        return fail

    root = seed
    ours = {"normal": normal_, "truncated_normal": truncated_normal, "uniform": uniform_}
    for name in ("categorical", "randint", "dropout", "shuffle", "gamma", "binomial", "beta"):
        ours[name] = unsupported(name)
    theirs = {name: getattr(module, name) for name in ours}

    def replacement(name):
        def function(*args, **kwargs):
            if threading.get_ident() != here:
                return theirs[name](*args, **kwargs)
            drawn.append(name)
            return ours[name](*args, **kwargs)

        return function

    for name in ours:
        setattr(module, name, replacement(name))
    try:
        yield drawn
    finally:
        for name, function in theirs.items():
            setattr(module, name, function)


def _tensor(values: np.ndarray, dtype: Any) -> Any:
    return keras.ops.convert_to_tensor(values, dtype=dtype or keras.config.floatx())


def _variance_scaling(
    initializer: Any, shape: Sequence[int], seed: int, purpose: str
) -> np.ndarray:
    """Draw as `keras.initializers.VarianceScaling` and its subclasses do.

    Glorot & Bengio (AISTATS 2010, eq. 16), He et al. (ICCV 2015, eq. 10).
    """
    # The initializer of EinsumDense states which axes of the kernel are inputs and outputs.
    axes = initializer.input_axes, initializer.output_axes
    fan_in, fan_out = compute_fans(shape, *axes)
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}
    variance = initializer.scale / max(1.0, fan[initializer.mode])
    if initializer.distribution == "uniform":
        limit = np.float32(math.sqrt(3.0 * variance))
        # 2u - 1 is exact in float32, so only the product is rounded.
        return limit * (np.float32(2) * uniform(seed, purpose, shape) - np.float32(1))
    if initializer.distribution == "truncated_normal":
        stddev = math.sqrt(variance) / _TRUNCATED_STDDEV
        return (stddev * normal(seed, purpose, shape, bound=2.0)).astype(np.float32)
    return (math.sqrt(variance) * normal(seed, purpose, shape)).astype(np.float32)


def _orthogonal(gain: float, shape: Sequence[int], seed: int, purpose: str) -> np.ndarray:
    """Draw a random orthogonal matrix, times ``gain`` (Saxe et al., ICLR 2014).

    The matrix is the Q of the QR decomposition of a normal matrix, with signs that make its
    distribution uniform.
    """
    rows, columns = math.prod(shape[:-1]), shape[-1]
    tall = (max(rows, columns), min(rows, columns))
    q, r = np.linalg.qr(normal(seed, purpose, tall))
    q = q * np.sign(np.diag(r))
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(np.float32)
