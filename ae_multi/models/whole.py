"""Whole arrays through a model."""

import sys

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.models.inputs import is_array_like
from ae_multi.models.saving import Portable
from ae_multi.terminal import encodable

# What Keras draws its tables and trees of layers with.
_BOX = "└─┏┃"


def predict_float32(model, x, batch_size=None):
    """As `ae_multi.predict`, with half-precision outputs widened to float32.

    bfloat16 is no number type of NumPy's own, and float16 overflows in sums of squares.
    """
    outputs = training.predict(model, x, batch_size)
    return keras.tree.map_structure(_widened, outputs)


def _widened(array):
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array


class WholeArrays(Portable):
    """A portable model whose own `_check` makes of inputs an array that fits it, or raises."""

    def summary(self, line_length=None, positions=None, print_fn=None, **kwargs):
        """As `keras.Model.summary`, in ASCII where the terminal cannot show more."""
        if print_fn is None and not _shows(_BOX):
            print_fn = _print_encodable
        super().summary(line_length, positions, print_fn, **kwargs)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """As `keras.Model.predict`."""
        x = self._check(x)
        if not is_array_like(x) or steps is not None or callbacks is not None:
            return super().predict(x, batch_size, verbose, steps, callbacks)
        return training.predict(self, x, batch_size, verbose)


def _shows(text):
    """Whether stdout can encode ``text``."""
    return encodable(text) == text


def _print_encodable(text):
    sys.stdout.write(encodable(text))
