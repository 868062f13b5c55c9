"""JAX: the device and its settings, and gradients."""

import os

import jax
import numpy as np


def version():
    """JAX's version."""
    return jax.__version__


def device():
    """The device that JAX computes on: the first of its default platform."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"cpu ({os.cpu_count()} threads)"
    return first.device_kind


def on_cpu():
    """Whether that is the processor."""
    return jax.devices()[0].platform == "cpu"


def full_precision():
    """Turn TF32 off; JAX's default precision allows it."""
    jax.config.update("jax_default_matmul_precision", "highest")


def wait():
    """Return when the device has finished; work is done in order, so the last stands for all."""
    jax.effects_barrier()
    jax.device_put(0.0).block_until_ready()


def allow_float64():
    """Let JAX hold 64-bit numbers."""
    jax.config.update("jax_enable_x64", True)


def gradients(function, variables):
    """The value of ``function()`` and its gradient for each Keras variable, as NumPy arrays.

    JAX differentiates a pure function of its arguments. So the variables' values are arguments,
    and a scope in which the variables have these values makes ``function`` pure. Losses that layers
    add, penalties on what they give among them, are lost in such a scope unless it collects them.
    """
    import keras

    def pure(values):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            return function()

    value, found = jax.value_and_grad(pure)([variable.value for variable in variables])
    return np.asarray(value), [np.asarray(gradient) for gradient in found]
