"""Conversion of models and weights to and from plain PyTorch, JAX and Keras, and safetensors."""

from ae_multi.interop.jax import from_jax, to_jax
from ae_multi.interop.keras import from_keras, to_keras
from ae_multi.interop.safetensors import load_safetensors, save_safetensors
from ae_multi.interop.torch import from_torch, to_torch

__all__ = [
    "from_jax", "from_keras", "from_torch", "load_safetensors", "save_safetensors", "to_jax",
    "to_keras", "to_torch",
]  # fmt: skip
