"""Keras's NumPy and OpenVINO backends, which support inference only."""

import os
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any, NoReturn

from ae_multi._keras import keras
from ae_multi.backend_selection import select_backend
from ae_multi.errors import BackendError


def version() -> str:
    """Return the version of NumPy or OpenVINO."""
    return metadata.version(select_backend())


def device() -> str:
    """Return "cpu", the only device that both use."""
    return "cpu"


def full_precision() -> None:
    """Do nothing: NumPy computes in the dtype of its inputs."""


def keep_programs(folder: os.PathLike[str] | str) -> None:
    """Do nothing: neither backend stores programs on disk."""


def compile_soon() -> None:
    """Do nothing: neither backend has a setting for shorter compilation."""


def wait() -> None:
    """Do nothing: calls are synchronous."""


def allow_float64() -> None:
    """Do nothing: no setting is needed for float64."""


def gradients(function: Callable[[], Any], variables: Sequence[keras.Variable]) -> NoReturn:
    """Raise `BackendError`: neither backend computes derivatives."""
    raise BackendError(
        "Expected torch, tensorflow or jax, which compute gradients. "
        f"Received: {select_backend()}, which supports inference only. Set KERAS_BACKEND to one of "
        "the three."
    )


def plans(model: keras.Model) -> list[tuple[str, float]]:
    """Return no plans: neither backend trains."""
    return []


def forward(
    model: keras.Model,
    x: Any,
    batch_size: int,
    on_progress: Callable[[int], Any] | None = None,
) -> Any:
    """Return the outputs of ``model`` in inference mode for all of ``x``, by Keras's `predict`.

    ``on_progress`` is not called.
    """
    # Not `model.predict`: that of an `Autoencoder` calls this function.
    return keras.Model.predict(model, x, batch_size=batch_size, verbose=0)
