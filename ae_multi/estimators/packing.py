"""Serialization of Keras models to bytes that every backend reads, for files and pickles."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ae_multi._keras import keras
from ae_multi.models.compile_config import remove_backend_settings
from ae_multi.models.loading import read_model


class Packed:
    """Bytes of the ``.keras`` file of a model; stands for the model in a pickle."""

    def __init__(self, content: bytes) -> None:
        self.content = content


def to_bytes(model: keras.Model) -> bytes:
    """Return the bytes of a model's ``.keras`` file: configuration, weights and optimizer."""
    with tempfile.TemporaryDirectory() as folder, _removed_backend_settings(model):
        path = Path(folder) / "model.keras"
        keras.saving.save_model(model, path)
        return path.read_bytes()


def from_bytes(content: bytes) -> keras.Model:
    """Return the model of the bytes from `to_bytes`; loading never executes code.

    Raises:
        InputError: bytes that are not a complete model, or a model with classes or functions that
            are not allowed.
    """
    with _as_file(content) as path:
        return read_model(path)


def packed(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of an object with each Keras model replaced by a `Packed`."""
    return {
        name: Packed(to_bytes(value)) if isinstance(value, keras.Model) else value
        for name, value in state.items()
    }


def unpacked(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state from `packed` with each `Packed` replaced by its model.

    Models may contain lambdas: unpickling can execute code anyway.
    """
    return {
        name: _load_trusted(value.content) if isinstance(value, Packed) else value
        for name, value in state.items()
    }


def _load_trusted(content: bytes) -> keras.Model:
    with _as_file(content) as path:
        return keras.saving.load_model(path, safe_mode=False)


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        yield path


@contextlib.contextmanager
def _removed_backend_settings(model: keras.Model) -> Iterator[None]:
    """Context in which `model.get_compile_config` has no backend-specific settings."""
    original = model.get_compile_config

    def portable():
        config = original()
        remove_backend_settings(config, model)
        return config

    model.get_compile_config = portable
    try:
        yield
    finally:
        del model.get_compile_config
