"""``.keras`` files from outside: looked through before Keras builds anything, and while it does."""

import contextlib
import io
import math
import threading

from ae_multi._keras import keras
from ae_multi._keras_internals import variable_class
from ae_multi.errors import InputError
from ae_multi.io import hdf5, keras_config, zip_archive
from ae_multi.io import json as safe_json

_CONFIGURATION, _WEIGHTS, _ABOUT = "config.json", "model.weights.h5", "metadata.json"
_ASSETS = "assets/"
# A file holds a model's weights once, often with the optimizer's two values for each. Building
# makes some of them twice; beyond that come the states of metrics and of random layers.
_TIMES, _MORE_VALUES, _MORE_VARIABLES = 8, 1 << 18, 1 << 10


def load_model(path):
    """Load a model that `Autoencoder.save` wrote, on whichever backend runs now.

    Nothing in the file is run: it may name Keras's layers that compute and no more, this package's
    classes, and those of your own that you have registered with Keras; see docs/files.md.

    Raises:
        InputError: no such file, or no whole ``.keras`` file of a model.
    """
    return read_model(path)


def read_model(path):
    """The Keras model in a ``.keras`` file.

    Raises:
        InputError: no such file; one that leads out of itself, names what is on no list (see
            `ae_multi.io.keras_config`), or describes a model much larger than the weights that
            it holds; and whatever Keras cannot load.
    """
    stored = check_model(path)
    try:
        with _no_more_than(stored, path):
            return keras.saving.load_model(path, safe_mode=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file may break any part of Keras's reading
        raise InputError(
            f"Expected a whole .keras file of a model. Received: {path}, which Keras cannot load "
            f"({type(error).__name__}: {error!s:.400})."
        ) from error


def check_model(path):
    """Check all of a ``.keras`` file that can be checked without Keras building anything.

    Returns:
        What its weights hold, as `hdf5.Stored`.

    Raises:
        InputError: as `read_model`.
    """
    with zip_archive.opened(path, "the .keras file") as archive:
        unexpected = [
            name
            for name in archive.names
            if name not in (_CONFIGURATION, _WEIGHTS, _ABOUT) and not name.startswith(_ASSETS)
        ]
        if unexpected or not {_CONFIGURATION, _WEIGHTS} <= set(archive.names):
            raise InputError(
                f"Expected a whole .keras file of a model, {_CONFIGURATION} and {_WEIGHTS}. "
                f"Received: {path} with {', '.join(archive.names)[:200] or 'nothing'}."
            )
        weights = archive.read(_WEIGHTS)
        stored = hdf5.check(io.BytesIO(weights), len(weights), f"the weights in {path}")
        described = safe_json.parse(archive.read(_CONFIGURATION), f"{_CONFIGURATION} in {path}")
        keras_config.check(described, _is_registered, stored.values, f"the model in {path}")
    return stored


def _is_registered(name):
    return keras.saving.get_registered_object(name) is not None


@contextlib.contextmanager
def _no_more_than(stored, path):
    """Refuse to make variables beyond what the file can fill, before memory is taken for them.

    What a configuration comes to is known to Keras alone, and only while it builds.
    """
    values, variables = _TIMES * stored.values + _MORE_VALUES, _MORE_VARIABLES
    variables += _TIMES * stored.arrays
    made = {"values": 0, "variables": 0}
    base, here = variable_class(), threading.get_ident()
    original = base.__init__

    def counted(self, initializer, shape=None, *args, **kwargs):
        if threading.get_ident() == here and shape is not None:
            made["values"] += math.prod(size or 0 for size in shape)
            made["variables"] += 1
        if made["values"] > values or made["variables"] > variables:
            raise InputError(
                f"Expected {path} to describe a model of the size of its weights, "
                f"{stored.values:,} numbers. Received: one of {made['values']:,} or more."
            )
        original(self, initializer, shape, *args, **kwargs)

    base.__init__ = counted
    try:
        yield
    finally:
        base.__init__ = original
