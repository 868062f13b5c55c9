"""Keras, imported once its backend is settled.

The package takes Keras from here, ``from ae_multi._keras import keras``, so that a missing or
misspelt backend is met by `select_backend`'s message and not by an import error of Keras's.
"""

from ae_multi.selection import select_backend

select_backend()

import keras  # noqa: E402

__all__ = ["keras"]
