"""A file made and run by the backend that runs here."""

import importlib

from ae_multi._keras import keras
from ae_multi.errors import ExportError, InputError, in_a_line
from ae_multi.exporting.formats import FORMATS, check_made_here


def make(model, name, path, batches):
    """Make ``path`` of the functional Keras ``model``, and let its own runtime compute ``batches``.

    Returns:
        (list of dicts of the outputs, one for each batch; dict of versions).

    Raises:
        ExportError: a package that is missing, or a model that the format or its runtime refuses.
    """
    check_made_here(name)
    backend = importlib.import_module(f"ae_multi.backends.{FORMATS[name].backend}.export")
    try:
        backend.write(model, name, path)
        outputs = backend.run(name, path, batches)
    except (ExportError, InputError):
        raise
    except Exception as error:  # converters and runtimes raise whatever they like
        raise ExportError(
            f"Expected a model that {FORMATS[name].title} can hold, for batches of any size. "
            f"Received: one at which its tools fail ({in_a_line(error)})."
        ) from error
    return outputs, {"keras": keras.__version__, **backend.versions(name)}
