"""The one place that imports PyTorch, TensorFlow or JAX.

Each package here is one framework, imported only when Keras runs on it. `protocol.Backend` is
the contract that each of them follows.
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

    Raises:
        BackendError: unknown name.
    """
    if name not in BACKENDS + FORWARD_ONLY:
        raise BackendError(f"Expected one of {', '.join(BACKENDS)}. Received: {name!r}.")
    module = name if name in BACKENDS else "forward_only"
    return importlib.import_module(f"ae_multi.backends.{module}")


def get_native_network(name: str) -> ModuleType:
    """Return the module that makes networks of the plain framework ``name``.

    Raises:
        BackendError: the framework is not installed.
    """
    check_backend(name, where=f"a network of plain {name}")
    return importlib.import_module(f"ae_multi.backends.{name}.native_network")
