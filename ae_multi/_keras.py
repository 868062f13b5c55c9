"""Import of Keras after the selection of its backend.

All modules import Keras with ``from ae_multi._keras import keras``, so that a missing or misspelt
backend raises the error of `select_backend`, not an import error in Keras.
"""

import os
import sys

from ae_multi.backend_selection import keras_home, select_backend
from ae_multi.errors import BackendError, in_a_line
from ae_multi.subprocesses.launcher import is_worker_process
from ae_multi.workers.group import current

_backend = select_backend()
current()  # a worker joins its group before Keras starts the framework

# Without a home directory TensorFlow would create a folder named "~" in the current one.
if os.path.expanduser("~") == "~":
    os.environ.setdefault("KERAS_HOME", str(keras_home()))

# Keras imports these packages only to support their objects, which jobs in worker processes do not
# use. Without them a JAX worker starts in half the time, other workers in two thirds.
_unwanted = {"matplotlib", "pandas", "sklearn"} - set(sys.modules) if is_worker_process() else set()
# None makes their import fail.
sys.modules.update(dict.fromkeys(_unwanted))  # type: ignore[arg-type]
try:
    import keras
except ImportError as error:
    raise BackendError(
        f"Expected Keras to run on {_backend}. Received: {in_a_line(error)}."
    ) from error
finally:
    for _name in _unwanted:
        del sys.modules[_name]

__all__ = ["keras"]
