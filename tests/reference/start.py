"""A job that reports the modules imported at its start."""

import importlib
import sys

from ae_multi._keras import keras

OTHERS = ("matplotlib", "pandas", "sklearn")


def report(job, emit):
    """Emit Keras's backend, the imported modules and the importable ones."""
    imported = [name for name in OTHERS if name in sys.modules]
    found = [importlib.import_module(name).__name__ for name in OTHERS]
    backend = keras.config.backend()
    emit({"event": "start", "backend": backend, "imported": imported, "found": found})
