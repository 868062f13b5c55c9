"""Keras models as bytes that every backend reads, for files and for pickle."""

import contextlib
import tempfile
from pathlib import Path

from ae_multi._keras import keras
from ae_multi.models.compile_config import remove_backend_settings
from ae_multi.models.loading import read_model


class Packed:
    """A Keras model as the bytes of its ``.keras`` file; what a pickle holds in its place."""

    def __init__(self, content):
        self.content = content


def to_bytes(model):
    """The bytes of a model's ``.keras`` file: configuration, weights, optimizer."""
    with tempfile.TemporaryDirectory() as folder, _removed_backend_settings(model):
        path = Path(folder) / "model.keras"
        keras.saving.save_model(model, path)
        return path.read_bytes()


def from_bytes(content):
    """The model behind `to_bytes`; nothing that it holds is run.

    Raises:
        InputError: bytes of no whole model, or of one that names what may not be built.
    """
    with _as_file(content) as path:
        return read_model(path)


def packed(state):
    """An object's state with its Keras models as bytes."""
    return {
        name: Packed(to_bytes(value)) if isinstance(value, keras.Model) else value
        for name, value in state.items()
    }


def unpacked(state):
    """The way back. A pickle can run anything already, so that it may hold a user's lambda."""
    return {
        name: _trusted(value.content) if isinstance(value, Packed) else value
        for name, value in state.items()
    }


def _trusted(content):
    with _as_file(content) as path:
        return keras.saving.load_model(path, safe_mode=False)


@contextlib.contextmanager
def _as_file(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        yield path


@contextlib.contextmanager
def _removed_backend_settings(model):
    """Let a model say how it is compiled as every backend knows it while it is written."""
    own = model.get_compile_config

    def portable():
        config = own()
        remove_backend_settings(config, model)
        return config

    model.get_compile_config = portable
    try:
        yield
    finally:
        del model.get_compile_config
