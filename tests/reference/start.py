"""A child's job that tells what the child has imported by the time it begins."""

import importlib
import sys

from ae_multi._keras import keras

OTHERS = ("matplotlib", "pandas", "sklearn")


def tell(job, emit):
    """Tell of Keras's backend, what else is imported, and what can be."""
    imported = [name for name in OTHERS if name in sys.modules]
    found = [importlib.import_module(name).__name__ for name in OTHERS]
    backend = keras.config.backend()
    emit({"event": "start", "backend": backend, "imported": imported, "found": found})
