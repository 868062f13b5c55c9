"""JAX: the device and its settings, and gradients."""

import os
from functools import cache

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


# On a GPU a loop as one CUDA graph, what does not depend on each other in it side by side. By
# default XLA goes back to the processor after each step, and a step's kernels wait for each other.
_LOOPS = {
    "xla_gpu_enable_command_buffer": (
        "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL"
    ),
    "xla_gpu_command_buffer_scheduling_mode": "CONCURRENT",
}
# What had better be compiled soon than well: on a GPU XLA tries out each product for seconds.
_SOON = {"cpu": {"xla_backend_optimization_level": 0}, "gpu": {"xla_gpu_autotune_level": 0}}
# On a processor XLA multiplies matrices by YNNPACK, unless it is told that nothing is fused to
# go there: then by Eigen, as it did before.
_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(loop=False, soon=False, eigen=False):
    """What the compiler should be told of a program: a dict.

    Versions of JAX that do not know an option compile by their default.

    Args:
        loop: whether the program loops over steps.
        soon: whether it is to be compiled soon rather than well.
        eigen: whether a processor is to multiply matrices by Eigen.
    """
    platform = "cpu" if on_cpu() else "gpu"
    required = dict(_LOOPS) if loop and platform == "gpu" else {}
    if soon:
        required |= _SOON[platform]
    if eigen and platform == "cpu":
        required |= _EIGEN
    return {name: value for name, value in required.items() if _is_known(name, value)}


def has_eigen():
    """Whether there is a choice of what multiplies matrices."""
    return bool(compiler_options(eigen=True))


@cache
def _is_known(name, value):
    try:
        jax.jit(lambda x: x + 1, compiler_options={name: value})(0).block_until_ready()
    except Exception:  # its type differs from version to version
        return False
    return True


def full_precision():
    """Turn TF32 off; JAX's default precision allows it."""
    jax.config.update("jax_default_matmul_precision", "highest")


def allow_tf32():
    """Turn TF32 on, by leaving the precision to JAX."""
    jax.config.update("jax_default_matmul_precision", None)


def keep_programs(folder):
    """Keep compiled programs in ``folder``, unless this process keeps them somewhere already.

    To be called before anything is compiled: JAX asks once.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def compile_soon():
    """Compile without the slower passes: in half the time, to programs several times slower.

    Where XLA has no kernel and writes a loop, as for convolutions in float64, that is much.
    """
    jax.config.update("jax_disable_most_optimizations", True)


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

    # As one program it is compiled in half the time that its operations take one by one.
    program = jax.jit(jax.value_and_grad(pure))
    value, found = program([variable.value for variable in variables])
    return np.asarray(value), [np.asarray(gradient) for gradient in found]
