"""Base class of all models, and predictions in float32."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.exporting.check import Export
from ae_multi.exporting.export import export
from ae_multi.io.atomic import atomic_write, check_writable
from ae_multi.models.compile_config import remove_backend_settings
from ae_multi.models.inputs import is_array_like
from ae_multi.terminal import encodable
from ae_multi.training.epochs import epochs_of, set_epochs

# Characters with which Keras draws tables and trees of layers.
_BOX = "└─┏┃"


def predict_float32(
    model: keras.Model,
    x: Any,
    batch_size: int | None = None,
    out: os.PathLike[str] | str | None = None,
) -> Any:
    """Predict as `ae_multi.predict`, with half-precision outputs widened to float32.

    NumPy has no bfloat16 type, and float16 overflows in sums of squares.
    """
    outputs = training.predict(model, x, batch_size, out=out)
    return keras.tree.map_structure(_widened, outputs)


def _widened(array):
    return array.astype(np.float32) if array.dtype.name in ("bfloat16", "float16") else array


class BaseModel(keras.Model):
    """Base class of all models of this package, whose files every backend can load.

    A subclass implements `_check`, which converts inputs to an array that fits the model or
    raises `InputError`.
    """

    def get_compile_config(self) -> dict[str, Any] | None:
        """Return the compile configuration, loadable on every backend, with the epoch count."""
        config = super().get_compile_config()
        remove_backend_settings(config, self)
        if config and epochs_of(self).trained:
            config["epochs"] = list(epochs_of(self))
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile the model as the saved one was.

        Keras requires this method of models that override `compile`.
        """
        config = dict(config)
        set_epochs(self, *config.pop("epochs", ()))
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def export(
        self,
        filepath: os.PathLike[str] | str,
        format: str | None = None,
        *,
        part: str = "model",
        data: Any = None,
        pythons: Mapping[str, str] | None = None,
    ) -> Export:
        """Export the model, or its "encoder" or "decoder", to a format of another runtime.

        See `ae_multi.export`, which accepts any Keras model, for arguments, result and errors.
        This method replaces `keras.Model.export`.
        """
        return export(self, filepath, format, part=part, data=data, pythons=pythons)

    def save(self, filepath: os.PathLike[str] | str, overwrite: bool = True, **kwargs: Any) -> None:
        """Save as `keras.Model.save`, but atomically: a failure leaves no incomplete file.

        Raises:
            InputError: the file cannot be written, or exists and ``overwrite`` is False.
        """
        path = check_writable(filepath, "the model")
        if path.exists() and not overwrite:
            raise InputError(f"Expected a new file, as overwrite=False. Received: {path} exists.")
        if self.compiled and self.built and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)  # loading builds it too
        with atomic_write(path) as temporary:
            super().save(temporary, **kwargs)

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Print `keras.Model.summary`, in ASCII where stdout cannot encode more."""
        if print_fn is None and not _is_encodable(_BOX):
            print_fn = _print_encodable
        super().summary(line_length, positions, print_fn, **kwargs)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
    ) -> Any:
        """Predict as `keras.Model.predict` does, after checking array inputs.

        Returns:
            NumPy array of the outputs, or nested arrays for several outputs.

        Raises:
            InputError: an array does not have the shape of the model, is not finite or is outside
                its range.
        """
        x = self._check(x)
        if not is_array_like(x) or steps is not None or callbacks is not None:
            return super().predict(x, batch_size, verbose, steps, callbacks)
        return training.predict(self, x, batch_size, verbose)


def _is_encodable(text: str) -> bool:
    """Return whether stdout can encode ``text``."""
    return encodable(text) == text


def _print_encodable(text):
    sys.stdout.write(encodable(text))
