"""An optimizer's update by TensorFlow's own kernels, where Keras's formula is many operations."""

import tensorflow as tf

from ae_multi._keras import keras
from ae_multi.backends.updating import adam_state, is_adam

ops = keras.ops


def fused(optimizer):
    """The update by TensorFlow's kernel, one call a weight, for an optimizer that it has one for.

    Its formula is Keras's own: w ← w - α m / (√v + ε), α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ).

    Returns:
        Function for `updating`, or None where there is no such kernel.
    """
    if not is_adam(optimizer):
        return None

    def update(gradients, variables, learning_rate):
        weights = [variable.value for variable in variables]
        if not all(map(_fits, gradients, weights)):
            type(optimizer)._backend_update_step(optimizer, gradients, variables, learning_rate)
            return
        first, second, powers = adam_state(optimizer, variables)
        rate = ops.cast(learning_rate, "float32")
        for gradient, w, m, v in zip(gradients, weights, first, second, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=m.handle, v=v.handle, beta1_power=powers[0],
                beta2_power=powers[1], lr=rate, beta1=optimizer.beta_1, beta2=optimizer.beta_2,
                epsilon=optimizer.epsilon, grad=gradient,
            )  # fmt: skip

    return update


def _fits(gradient, weight):
    # Rows of an embedding have gradients of their own kind.
    return isinstance(gradient, tf.Tensor) and gradient.dtype == weight.dtype == tf.float32
