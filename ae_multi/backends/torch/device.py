"""Device, settings and gradients of PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    import numpy as np

    from ae_multi._keras import keras

_CONVOLUTIONS = tuple(f"{kind}{rank}d" for kind in ("conv", "conv_transpose") for rank in (1, 2, 3))


def version() -> str:
    """Return the version of PyTorch."""
    return torch.__version__


def device() -> str:
    """Return the name of the device of Keras's torch backend: a GPU if available, or the CPU."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return f"cpu ({torch.get_num_threads()} threads)"


def on_cpu() -> bool:
    """Return whether Keras's torch backend uses the CPU."""
    return not torch.cuda.is_available() and not torch.backends.mps.is_available()


def full_precision() -> None:
    """Disable TF32, which PyTorch enables for convolutions by default."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def allow_tf32() -> None:
    """Enable TF32 for matrix products and convolutions."""
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True


def keep_programs(folder: os.PathLike[str] | str) -> None:
    """Do nothing: Inductor caches its programs on disk in a folder of PyTorch."""


def compile_soon() -> None:
    """Do nothing: only the plans that compile recorded steps use a compiler."""


def wait() -> None:
    """Block until the device has finished all work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.backends.mps.is_available():
        torch.mps.synchronize()


def allow_float64() -> None:
    """Enable gradients of convolutions in float64, for this process.

    PyTorch computes in the dtype of its inputs. But Keras passes kernels as views in another order
    of axes, and on a CPU PyTorch raises a RuntimeError for the gradient of such a kernel in float64
    ("slow_conv2d: grad_weight must be contiguous").
    """
    for name in _CONVOLUTIONS:
        setattr(torch.nn.functional, name, _with_contiguous_kernel(name))


def _with_contiguous_kernel(name: str) -> Callable[..., torch.Tensor]:
    real = getattr(torch.nn.functional, name)

    def convolve(input: torch.Tensor, weight: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        return real(input, weight.contiguous(), *args, **kwargs)

    return convolve


def gradients(
    function: Callable[[], Any], variables: Sequence[keras.Variable]
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the value of ``function()`` and its gradient for each variable."""
    value = function()
    tensors = [variable.value for variable in variables]
    # PyTorch raises an error for an empty list of tensors.
    results = torch.autograd.grad(value, tensors, allow_unused=True) if tensors else ()
    return value.detach().cpu().numpy(), [
        (torch.zeros_like(tensor) if gradient is None else gradient).detach().cpu().numpy()
        for tensor, gradient in zip(tensors, results, strict=True)
    ]
