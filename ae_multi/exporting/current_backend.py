"""Writing and running an exported file with the current backend."""

import importlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import ExportError, InputError, in_a_line
from ae_multi.exporting.formats import FORMATS, check_made_here


def make(
    model: keras.Model, name: str, path: Path, batches: Sequence[np.ndarray]
) -> tuple[list[dict[str, np.ndarray]], dict[str, str]]:
    """Export a model to ``path`` and run the file with its own runtime.

    Args:
        model: the functional Keras model.
        name: name of the format.
        path: path of the file.
        batches: inputs for the runtime.

    Returns:
        (list of dicts of outputs, one for each batch; dict of versions).

    Raises:
        ExportError: a package is missing, or the format or its runtime does not support the model.
    """
    check_made_here(name)
    backend = importlib.import_module(f"ae_multi.backends.{FORMATS[name].backend}.export")
    try:
        backend.write(model, name, path)
        outputs = backend.run(name, path, batches)
    except (ExportError, InputError):
        raise
    except Exception as error:  # converters and runtimes may raise any exception
        raise ExportError(
            f"Expected a model that {FORMATS[name].title} can represent, for batches of any size. "
            f"Received: one at which its tools fail ({in_a_line(error)})."
        ) from error
    return outputs, {"keras": keras.__version__, **backend.versions(name)}
