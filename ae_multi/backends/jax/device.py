"""Device, compiler options, settings and gradients of JAX."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

if TYPE_CHECKING:
    from ae_multi._keras import keras


def version() -> str:
    """Return the version of JAX."""
    return jax.__version__


def device() -> str:
    """Return the name of JAX's device, the first of its default platform."""
    first = jax.devices()[0]
    if first.platform == "cpu":
        return f"cpu ({os.cpu_count()} threads)"
    return first.device_kind


def on_cpu() -> bool:
    """Return whether JAX uses the CPU."""
    return jax.devices()[0].platform == "cpu"


# On a GPU a loop runs as one CUDA graph, with independent kernels in parallel. By default XLA
# returns to the CPU after each step, and the kernels of a step run one after another.
_LOOPS = {
    "xla_gpu_enable_command_buffer": (
        "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL"
    ),
    "xla_gpu_command_buffer_scheduling_mode": "CONCURRENT",
}
# Faster compilation of slower programs. On a GPU XLA otherwise autotunes each matrix product for
# seconds.
_SOON = {"cpu": {"xla_backend_optimization_level": 0}, "gpu": {"xla_gpu_autotune_level": 0}}
# On a CPU XLA multiplies matrices by YNNPACK. With no fusion type enabled it uses Eigen instead,
# as earlier versions did.
_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}


def compiler_options(loop: bool = False, soon: bool = False, eigen: bool = False) -> dict[str, Any]:
    """Return the compiler options of a program.

    Options that the installed version of JAX does not support are omitted.

    Args:
        loop: whether the program loops over steps.
        soon: whether to prefer a short compilation to a fast program.
        eigen: whether matrices are multiplied by Eigen on a CPU.
    """
    platform = "cpu" if on_cpu() else "gpu"
    required: dict[str, Any] = dict(_LOOPS) if loop and platform == "gpu" else {}
    if soon:
        required |= _SOON[platform]
    if eigen and platform == "cpu":
        required |= _EIGEN
    return {name: value for name, value in required.items() if _is_known(name, value)}


def has_eigen() -> bool:
    """Return whether Eigen can be selected for matrix products."""
    return bool(compiler_options(eigen=True))


@cache
def _is_known(name: str, value: Any) -> bool:
    """Return whether the installed version of JAX accepts a compiler option."""
    try:
        jax.jit(lambda x: x + 1, compiler_options={name: value})(0).block_until_ready()
    except Exception:  # the exception type differs between versions of JAX
        return False
    return True


def full_precision() -> None:
    """Disable TF32, which JAX's default precision allows."""
    jax.config.update("jax_default_matmul_precision", "highest")


def allow_tf32() -> None:
    """Allow TF32, as JAX's default precision does."""
    jax.config.update("jax_default_matmul_precision", None)


def keep_programs(folder: os.PathLike[str] | str) -> None:
    """Cache compiled programs in ``folder``, unless a cache folder is configured already.

    Call it before the first compilation: JAX reads this setting once.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def compile_soon() -> None:
    """Skip most optimizations of the compiler.

    Compilation takes half the time. Programs are several times slower where XLA has no kernel and
    generates a loop, as for convolutions in float64.
    """
    jax.config.update("jax_disable_most_optimizations", True)


def wait() -> None:
    """Block until the device has finished all work."""
    # The device runs operations in order, so waiting for a last one waits for all.
    jax.effects_barrier()
    jax.device_put(0.0).block_until_ready()


def allow_float64() -> None:
    """Enable 64-bit dtypes in JAX."""
    jax.config.update("jax_enable_x64", True)


def gradients(
    function: Callable[[], Any], variables: Sequence[keras.Variable]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the value of ``function()`` and its gradient for each variable.

    JAX differentiates pure functions. The values of the variables become arguments, and a
    `keras.StatelessScope` that assigns them to the variables makes ``function`` pure. The scope
    collects losses that layers add, such as activity penalties; they would be lost otherwise.
    """
    import keras

    def pure(values):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping, collect_losses=True):
            return function()

    # Compilation as one program takes half the time of compiling each operation.
    program = jax.jit(jax.value_and_grad(pure))
    value, results = program([variable.value for variable in variables])
    return np.asarray(value), [np.asarray(gradient) for gradient in results]
