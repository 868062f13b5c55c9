"""JAX."""

import os

import jax


def version():
    """JAX's version."""
    return jax.__version__


def device():
    """The device that JAX computes on: the first of its default platform."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"cpu ({os.cpu_count()} threads)"
    return first.device_kind


def full_precision():
    """Turn TF32 off; JAX's default precision allows it."""
    jax.config.update("jax_default_matmul_precision", "highest")


def wait():
    """Return when the device has finished; work is done in order, so the last stands for all."""
    jax.effects_barrier()
    jax.device_put(0.0).block_until_ready()
