"""Keras, imported once its backend is settled.

The package takes Keras from here, ``from ae_multi._keras import keras``, so that a missing or
misspelt backend is met by `select_backend`'s message and not by an import error of Keras's.
"""

import sys

from ae_multi.processes import here_is_a_child
from ae_multi.selection import select_backend

select_backend()

# Keras imports these only to take objects of theirs, which no job of a child has: half of the
# time that JAX's process needs to start, and a third of the others'.
_unwanted = {"matplotlib", "pandas", "sklearn"} - set(sys.modules) if here_is_a_child() else set()
sys.modules.update(dict.fromkeys(_unwanted))  # None: not to be found
try:
    import keras
finally:
    for _name in _unwanted:
        del sys.modules[_name]

__all__ = ["keras"]
