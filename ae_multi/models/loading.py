"""Safe loading of untrusted ``.keras`` files: checks before and while Keras builds the model."""

import contextlib
import io
import math
import os
import threading
from collections.abc import Iterator

from ae_multi._keras import keras
from ae_multi._keras_internals import variable_class
from ae_multi.errors import InputError
from ae_multi.io import hdf5, keras_config, zip_archive
from ae_multi.io import json as safe_json

_CONFIGURATION, _WEIGHTS, _METADATA = "config.json", "model.weights.h5", "metadata.json"
_ASSETS = "assets/"
# Limits of the variables that building a model may create, relative to those in the file. A file
# holds the weights once, often with two optimizer values for each. Building creates some of them
# twice. The constants leave room for the states of metrics and of random layers.
_FACTOR, _EXTRA_VALUES, _EXTRA_VARIABLES = 8, 1 << 18, 1 << 10


def load_model(path: os.PathLike[str] | str) -> keras.Model:
    """Load a model that `Autoencoder.save` or another Keras model wrote on any backend.

    Loading never executes code from the file. The file may name Keras layers that only compute,
    classes of this package, and custom classes that are registered with Keras; see docs/files.md.

    Args:
        path: the ``.keras`` file.

    Returns:
        The Keras model, compiled if the saved one was.

    Raises:
        InputError: there is no such file, or it is not a complete ``.keras`` file of a model.
    """
    return read_model(path)


def read_model(path: os.PathLike[str] | str) -> keras.Model:
    """Load the Keras model in a ``.keras`` file.

    Raises:
        InputError: there is no such file; the file refers to other files, names a class or
            function that is not allowed (see `ae_multi.io.keras_config`), or describes a model
            much larger than the weights that it holds; or Keras cannot load it.
    """
    stored = check_model(path)
    try:
        with _limit_variables(stored, path):
            return keras.saving.load_model(path, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file may raise anything in Keras
        raise InputError(
            f"Expected a complete .keras file of a model. Received: {path}, which Keras cannot "
            f"load ({type(error).__name__}: {error!s:.400})."
        ) from error


def check_model(path: os.PathLike[str] | str) -> hdf5.Stored:
    """Check a ``.keras`` file without building the model.

    Returns:
        The number of arrays and values of its weights.

    Raises:
        InputError: as `read_model`.
    """
    with zip_archive.opened(path, "the .keras file") as archive:
        unexpected = [
            name
            for name in archive.names
            if name not in (_CONFIGURATION, _WEIGHTS, _METADATA) and not name.startswith(_ASSETS)
        ]
        if unexpected or not {_CONFIGURATION, _WEIGHTS} <= set(archive.names):
            raise InputError(
                f"Expected a complete .keras file of a model, {_CONFIGURATION} and {_WEIGHTS}. "
                f"Received: {path} with {', '.join(archive.names)[:200] or 'nothing'}."
            )
        weights = archive.read(_WEIGHTS)
        stored = hdf5.check(io.BytesIO(weights), len(weights), f"the weights in {path}")
        config = safe_json.parse(archive.read(_CONFIGURATION), f"{_CONFIGURATION} in {path}")
        keras_config.check(config, _is_registered, stored.values, f"the model in {path}")
    return stored


def _is_registered(name: str) -> bool:
    return keras.saving.get_registered_object(name) is not None


@contextlib.contextmanager
def _limit_variables(stored: hdf5.Stored, path: os.PathLike[str] | str) -> Iterator[None]:
    """Stop Keras from creating far more variables than the file holds, before it allocates them.

    The size of a model follows from its configuration only while Keras builds it.
    """
    max_values = _FACTOR * stored.values + _EXTRA_VALUES
    max_variables = _FACTOR * stored.arrays + _EXTRA_VARIABLES
    created = {"values": 0, "variables": 0}
    base, thread = variable_class(), threading.get_ident()
    original = base.__init__

    def counting_init(self, initializer, shape=None, *args, **kwargs):
        if threading.get_ident() == thread and shape is not None:
            created["values"] += math.prod(size or 0 for size in shape)
            created["variables"] += 1
        if created["values"] > max_values or created["variables"] > max_variables:
            raise InputError(
                f"Expected {path} to describe a model of the size of its weights, "
                f"{stored.values:,} numbers. Received: one of {created['values']:,} or more."
            )
        original(self, initializer, shape, *args, **kwargs)

    base.__init__ = counting_init
    try:
        yield
    finally:
        base.__init__ = original
