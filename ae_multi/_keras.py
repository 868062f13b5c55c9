"""Keras, imported once its backend is settled.

The package takes Keras from here, ``from ae_multi._keras import keras``, so that a missing or
misspelt backend is met by `select_backend`'s message and not by an import error of Keras's.
"""

import os
import sys

from ae_multi.errors import BackendError, in_a_line
from ae_multi.selection import keras_home, select_backend
from ae_multi.subprocesses.launcher import is_worker_process

_backend = select_backend()

# Without a home directory TensorFlow would make a folder named "~" in the current one.
if os.path.expanduser("~") == "~":
    os.environ.setdefault("KERAS_HOME", str(keras_home()))

# Keras imports these only to take objects of theirs, which no job of a child has: half of the
# time that JAX's process needs to start, and a third of the others'.
_unwanted = {"matplotlib", "pandas", "sklearn"} - set(sys.modules) if is_worker_process() else set()
sys.modules.update(dict.fromkeys(_unwanted))  # None: not to be found
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
