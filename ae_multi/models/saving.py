"""Models back from disk."""

from pathlib import Path

from ae_multi._keras import keras
from ae_multi.errors import InputError


def load_model(path):
    """Load a model that `Autoencoder.save` wrote, on whichever backend runs now.

    Nothing in the file is run: Keras's safe mode refuses lambdas, and the project's own classes
    are known by name.

    Raises:
        InputError: no such file, or no whole ``.keras`` file of a model.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"Expected a .keras file. Received: {path}, which is no file.")
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:  # a damaged file may break any part of Keras's reading
        raise InputError(
            f"Expected a whole .keras file of a model. Received: {path}, which Keras cannot load "
            f"({type(error).__name__}: {error})."
        ) from error
