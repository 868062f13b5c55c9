"""Noise and dropout layers, with the same numbers on every backend."""

from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.randomness import noise
from ae_multi.randomness.streams import check_seed

ops = keras.ops


class _Noisy(keras.layers.Layer):
    """Base class of layers that count their training calls, so that the numbers of each differ."""

    def __init__(self, seed: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.seed = check_seed(seed)
        self.supports_masking = True
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="step"
        )

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        # The step is incremented after its use, because PyTorch increments it in place, which
        # would also change a tensor that was read before.
        outputs = self.corrupt(inputs, ops.convert_to_tensor(self.step))
        self.step.assign_add(1)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("ae_multi")
class GaussianNoise(_Noisy):
    """Layer that adds normal noise during training, bit-identical on every backend.

    Args:
        stddev: standard deviation, in the units of the input; above 0.
        seed: integer. Layers of one model need different seeds to draw different numbers.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to add noise.
    """

    def __init__(self, stddev: float, seed: int = 0, **kwargs: Any):
        super().__init__(seed, **kwargs)
        if not stddev > 0:
            raise InputError(f"Expected stddev above 0. Received: {stddev!r}.")
        self.stddev = float(stddev)

    def corrupt(self, inputs: Any, step: Any) -> Any:
        """Return ``inputs`` plus the noise of ``step``."""
        drawn = noise.normal(ops.shape(inputs), self.stddev, self.seed, step, "gaussian")
        return ops.add(inputs, ops.cast(drawn, inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("ae_multi")
class Dropout(_Noisy):
    """Dropout layer (Srivastava et al., JMLR 2014) whose mask is bit-identical on every backend.

    During training it sets a random fraction of the inputs to 0 and scales the others by
    1 / (1 - rate).

    Args:
        rate: fraction of the inputs to drop, at least 0 and below 1.
        seed: integer. Layers of one model need different seeds to draw different numbers.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to drop inputs.
    """

    def __init__(self, rate: float, seed: int = 0, **kwargs: Any):
        super().__init__(seed, **kwargs)
        if not 0 <= rate < 1:
            raise InputError(f"Expected rate from 0 to below 1. Received: {rate!r}.")
        self.rate = float(rate)

    def corrupt(self, inputs: Any, step: Any) -> Any:
        """Return ``inputs`` with the mask of ``step``, scaled."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "dropout")
        scaled = ops.multiply(inputs, ops.cast(1.0 / (1.0 - self.rate), inputs.dtype))
        return ops.where(drawn >= self.rate, scaled, ops.zeros_like(inputs))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "rate": self.rate}


class _Corruption(_Noisy):
    """Base class of layers that replace a random fraction of their inputs during training."""

    def __init__(self, level: float, seed: int = 0, **kwargs: Any):
        super().__init__(seed, **kwargs)
        if not 0 < level < 1:
            raise InputError(f"Expected level above 0 and below 1. Received: {level!r}.")
        self.level = float(level)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "level": self.level}


@keras.saving.register_keras_serializable("ae_multi")
class MaskingNoise(_Corruption):
    """Layer that sets a random fraction of the inputs to 0 during training.

    Vincent et al., ICML 2008. The mask is bit-identical on every backend. Unlike `Dropout`, the
    layer does not scale the other inputs: a denoising autoencoder should see them unchanged.

    Args:
        level: fraction of the inputs to set to 0, above 0 and below 1.
        seed: integer. Layers of one model need different seeds to draw different numbers.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to mask inputs.
    """

    def corrupt(self, inputs: Any, step: Any) -> Any:
        """Return ``inputs`` with the mask of ``step``."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "masking")
        return ops.where(drawn >= np.float32(self.level), inputs, ops.zeros_like(inputs))


@keras.saving.register_keras_serializable("ae_multi")
class SaltAndPepper(_Corruption):
    """Layer that sets a random fraction of the inputs to a low or high value during training.

    Vincent et al., JMLR 11 (2010), section 3.3. Both values have probability 1/2. The noise is
    bit-identical on every backend.

    Args:
        level: fraction of the inputs to replace, above 0 and below 1.
        low: value of pepper.
        high: value of salt, above ``low``.
        seed: integer. Layers of one model need different seeds to draw different numbers.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to replace inputs.
    """

    def __init__(
        self, level: float, low: float = 0.0, high: float = 1.0, seed: int = 0, **kwargs: Any
    ):
        super().__init__(level, seed, **kwargs)
        if not low < high:
            raise InputError(f"Expected low below high. Received: {low!r} and {high!r}.")
        self.low, self.high = float(low), float(high)

    def corrupt(self, inputs: Any, step: Any) -> Any:
        """Return ``inputs`` with the salt and pepper of ``step``."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "salt and pepper")
        low, high = (ops.cast(value, inputs.dtype) for value in (self.low, self.high))
        # One number decides both: of the numbers below `level`, the lower half means pepper.
        replaced = ops.where(drawn < np.float32(self.level / 2), low, high)
        return ops.where(drawn >= np.float32(self.level), inputs, replaced)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "low": self.low, "high": self.high}
