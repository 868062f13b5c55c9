"""The base class of all models, and predictions in float32."""

import sys

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.exporting.export import export
from ae_multi.io.atomic import atomic_write, check_writable
from ae_multi.models.compile_config import remove_backend_settings
from ae_multi.models.inputs import is_array_like
from ae_multi.terminal import encodable
from ae_multi.training.epochs import epochs_of, set_epochs

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


class BaseModel(keras.Model):
    """Base class of all models of this package, whose files every backend loads.

    A subclass has `_check`, which makes of inputs an array that fits it, or raises.
    """

    def get_compile_config(self):
        """How the model is compiled, in words that every backend understands, and its epochs."""
        config = super().get_compile_config()
        remove_backend_settings(config, self)
        if config and epochs_of(self).trained:
            config["epochs"] = list(epochs_of(self))
        return config

    def compile_from_config(self, config):
        """Compile as the saved model was; Keras leaves this to models with their own `compile`."""
        config = dict(config)
        set_epochs(self, *config.pop("epochs", ()))
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def export(self, filepath, format=None, *, part="model", data=None, pythons=None):
        """Write the model, or its "encoder" or "decoder", in a format that others run.

        See `ae_multi.export`, which takes any Keras model; this takes the place of Keras's own.
        """
        return export(self, filepath, format, part=part, data=data, pythons=pythons)

    def save(self, filepath, overwrite=True, **kwargs):
        """As `keras.Model.save`, but the file is written whole or not at all."""
        path = check_writable(filepath, "the model")
        if path.exists() and not overwrite:
            raise InputError(f"Expected a new file, as overwrite=False. Received: {path} exists.")
        if self.compiled and self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)  # as it will be when it is loaded
        with atomic_write(path) as temporary:
            super().save(temporary, **kwargs)

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
