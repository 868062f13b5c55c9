"""An optimizer's update by TensorFlow's own kernels, where Keras's formula is many operations."""

import tensorflow as tf

from ae_multi._keras import keras
from ae_multi.backends.updating import is_adam

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
        variables = [getattr(variable, "value", variable) for variable in variables]
        if not all(map(_fits, gradients, variables)):
            type(optimizer)._backend_update_step(optimizer, gradients, variables, learning_rate)
            return
        step = ops.cast(optimizer.iterations + 1, "float32")
        powers = [
            ops.power(ops.cast(beta, "float32"), step)
            for beta in (optimizer.beta_1, optimizer.beta_2)
        ]
        rate = ops.cast(learning_rate, "float32")
        for gradient, variable in zip(gradients, variables, strict=True):
            place = optimizer._get_variable_index(variable)
            first, second = (
                group[place].value for group in (optimizer._momentums, optimizer._velocities)
            )
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=first.handle, v=second.handle, beta1_power=powers[0],
                beta2_power=powers[1], lr=rate, beta1=optimizer.beta_1, beta2=optimizer.beta_2,
                epsilon=optimizer.epsilon, grad=gradient,
            )  # fmt: skip

    return update


def _fits(gradient, variable):
    # Rows of an embedding have gradients of their own kind.
    return isinstance(gradient, tf.Tensor) and gradient.dtype == variable.dtype == tf.float32
