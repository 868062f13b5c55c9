"""The only package that imports PyTorch, TensorFlow, JAX or OpenVINO.

Each subpackage is for one framework and is imported only when it is needed. `torch`, `tensorflow`
and `jax` implement `protocol.Backend`; `forward_only` implements the part of it that inference
needs.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING

from ae_multi.backend_selection import BACKENDS, FORWARD_ONLY, check_backend, select_backend
from ae_multi.errors import BackendError

if TYPE_CHECKING:
    from ae_multi.backends.protocol import Backend

__all__ = ["BACKENDS", "current", "get", "get_native_network"]


def current() -> Backend:
    """Return the module of the backend that Keras runs on."""
    return get(select_backend())


def get(name: str) -> Backend:
    """Return the module of one backend.

    Args:
        name: one of `BACKENDS` or `FORWARD_ONLY`.

    Raises:
        BackendError: unknown name.
    """
    if name not in BACKENDS + FORWARD_ONLY:
        names = ", ".join(BACKENDS + FORWARD_ONLY)
        raise BackendError(f"Expected one of {names}. Received: {name!r}.")
    module = name if name in BACKENDS else "forward_only"
    return importlib.import_module(f"ae_multi.backends.{module}")


def get_native_network(name: str) -> ModuleType:
    """Return the module for networks of one framework without Keras.

    Args:
        name: "torch" or "jax", whose modules build networks, or "tensorflow", whose module reads
            the variables of a SavedModel.

    Raises:
        BackendError: unknown name, or a framework that is not installed.
    """
    check_backend(name, where=f"a network of plain {name}")
    return importlib.import_module(f"ae_multi.backends.{name}.native_network")
