"""Layers that draw in training, with the same numbers on every backend."""

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
