"""Keras, imported once its backend is settled.

The package takes Keras from here, ``from ae_multi._keras import keras``, so that a missing or
misspelt backend is met by `select_backend`'s message and not by an import error of Keras's.
"""

import functools
import inspect
import os
import sys

from ae_multi.errors import BackendError, in_a_line
from ae_multi.processes import here_is_a_child
from ae_multi.selection import keras_home, select_backend

_backend = select_backend()

# Without a home directory TensorFlow would make a folder named "~" in the current one.
if os.path.expanduser("~") == "~":
    os.environ.setdefault("KERAS_HOME", str(keras_home()))

# Keras imports these only to take objects of theirs, which no job of a child has: half of the
# time that JAX's process needs to start, and a third of the others'.
_unwanted = {"matplotlib", "pandas", "sklearn"} - set(sys.modules) if here_is_a_child() else set()
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


def _record_jit_compile():
    """Let each model remember ``compile(jit_compile=...)`` as it was given.

    Keras keeps what "auto" came to, which is False on TensorFlow without a GPU, and then "auto"
    cannot be told from False (Keras 3.15).
    """
    trainer = keras.src.trainers.trainer.Trainer
    original = trainer.compile
    signature = inspect.signature(original)

    @functools.wraps(original)
    def compile(self, *args, **kwargs):
        original(self, *args, **kwargs)
        given = signature.bind(self, *args, **kwargs).arguments
        vars(self)["_ae_multi_jit_compile"] = given.get("jit_compile", "auto")

    trainer.compile = compile


def refuses_jit_compile(model):
    """Whether ``model`` was compiled with ``jit_compile=False``, as far as it is known."""
    return vars(model).get("_ae_multi_jit_compile") is False


_record_jit_compile()

__all__ = ["keras", "refuses_jit_compile"]
