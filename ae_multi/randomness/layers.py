"""Layers that draw in training, with the same numbers on every backend."""

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.randomness import noise
from ae_multi.randomness.streams import check_seed

ops = keras.ops


class _Noisy(keras.layers.Layer):
    """A layer that counts its training calls, so that each call has numbers of its own."""

    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.seed = check_seed(seed)
        self.supports_masking = True
        self.step = self.add_weight(
            shape=(), initializer="zeros", dtype="int32", trainable=False, name="step"
        )

    def build(self, input_shape):
        self.built = True

    def call(self, inputs, training=False):
        if not training:
            return inputs
        # Counted after use: PyTorch counts in place, and a step read before would change too.
        outputs = self.corrupt(inputs, ops.convert_to_tensor(self.step))
        self.step.assign_add(1)
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("ae_multi")
class GaussianNoise(_Noisy):
    """Adds normal noise in training; the same noise on every backend, bit for bit.

    Args:
        stddev: standard deviation, in the units of the input; above 0.
        seed: integer. Layers of one model that are to differ need different seeds.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to add noise.
    """

    def __init__(self, stddev, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        if not stddev > 0:
            raise InputError(f"Expected stddev above 0. Received: {stddev!r}.")
        self.stddev = float(stddev)

    def corrupt(self, inputs, step):
        """``inputs`` plus the noise of one step."""
        drawn = noise.normal(ops.shape(inputs), self.stddev, self.seed, step, "gaussian")
        return ops.add(inputs, ops.cast(drawn, inputs.dtype))

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "stddev": self.stddev}


@keras.saving.register_keras_serializable("ae_multi")
class Dropout(_Noisy):
    """Sets a share of the inputs to 0 in training and scales up the rest (Srivastava, JMLR 2014).

    The same mask on every backend, bit for bit.

    Args:
        rate: share of inputs to drop, 0 up to but not including 1.
        seed: integer. Layers of one model that are to differ need different seeds.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to drop.
    """

    def __init__(self, rate, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        if not 0 <= rate < 1:
            raise InputError(f"Expected rate from 0 to below 1. Received: {rate!r}.")
        self.rate = float(rate)

    def corrupt(self, inputs, step):
        """``inputs`` under the mask of one step."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "dropout")
        scaled = ops.multiply(inputs, ops.cast(1.0 / (1.0 - self.rate), inputs.dtype))
        return ops.where(drawn >= self.rate, scaled, ops.zeros_like(inputs))

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "rate": self.rate}


class _Corruption(_Noisy):
    """A layer that replaces a share of its inputs in training."""

    def __init__(self, level, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        if not 0 < level < 1:
            raise InputError(f"Expected level above 0 and below 1. Received: {level!r}.")
        self.level = float(level)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "level": self.level}


@keras.saving.register_keras_serializable("ae_multi")
class MaskingNoise(_Corruption):
    """Sets a share of the inputs to 0 in training and leaves the rest (Vincent et al., ICML 2008).

    The same mask on every backend, bit for bit. Unlike `Dropout` it does not scale up what is
    left: it is damage to be mended, and what was not hit should be seen as it is.

    Args:
        level: share of inputs to set to 0, above 0 and below 1.
        seed: integer. Layers of one model that are to differ need different seeds.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to mask.
    """

    def corrupt(self, inputs, step):
        """``inputs`` under the mask of one step."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "masking")
        return ops.where(drawn >= np.float32(self.level), inputs, ops.zeros_like(inputs))


@keras.saving.register_keras_serializable("ae_multi")
class SaltAndPepper(_Corruption):
    """Sets a share of the inputs to their lowest or highest value, by a fair coin, in training.

    Vincent et al., JMLR 11 (2010), section 3.3. The same places on every backend, bit for bit.

    Args:
        level: share of inputs to replace, above 0 and below 1.
        low: value of pepper.
        high: value of salt, above ``low``.
        seed: integer. Layers of one model that are to differ need different seeds.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to replace.
    """

    def __init__(self, level, low=0.0, high=1.0, seed=0, **kwargs):
        super().__init__(level, seed, **kwargs)
        if not low < high:
            raise InputError(f"Expected low below high. Received: {low!r} and {high!r}.")
        self.low, self.high = float(low), float(high)

    def corrupt(self, inputs, step):
        """``inputs`` with the salt and pepper of one step."""
        drawn = noise.uniform(ops.shape(inputs), self.seed, step, "salt and pepper")
        low, high = (ops.cast(value, inputs.dtype) for value in (self.low, self.high))
        # One number decides both: the lower half of those that are hit is pepper.
        replaced = ops.where(drawn < np.float32(self.level / 2), low, high)
        return ops.where(drawn >= np.float32(self.level), inputs, replaced)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "low": self.low, "high": self.high}
