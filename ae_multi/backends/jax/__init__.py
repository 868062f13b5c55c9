"""The JAX backend."""

from ae_multi.backends.jax.device import (
    allow_float64,
    allow_tf32,
    compile_soon,
    device,
    full_precision,
    gradients,
    keep_programs,
    version,
    wait,
)
from ae_multi.backends.jax.forward import forward
from ae_multi.backends.jax.state import snapshot, values
from ae_multi.backends.jax.steps import Steps, plans, to_device, worker_plans

__all__ = [
    "Steps",
    "allow_float64",
    "allow_tf32",
    "compile_soon",
    "device",
    "forward",
    "full_precision",
    "gradients",
    "keep_programs",
    "plans",
    "snapshot",
    "to_device",
    "values",
    "version",
    "wait",
    "worker_plans",
]
