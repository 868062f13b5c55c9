"""Base class of all autoencoders: an encoder followed by a decoder."""

import os
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.data.source import is_source
from ae_multi.errors import InputError
from ae_multi.models.base import BaseModel, predict_float32
from ae_multi.models.inputs import (
    as_arrays,
    as_range,
    as_samples,
    as_validation,
    is_array_like,
    sample_shape,
)
from ae_multi.randomness.streams import check_seed
from ae_multi.randomness.weights import redraw


@keras.saving.register_keras_serializable("ae_multi")
class Autoencoder(BaseModel):
    r"""Autoencoder of any encoder and decoder.

    A `keras.Model` with three differences: the target of `fit` and `evaluate` defaults to the
    input, the default loss is the mean squared error, and the batch order depends only on
    (seed, epoch), so that it is the same on every backend.

    Args:
        encoder: Keras model from inputs to codes.
        decoder: Keras model from codes to reconstructions.
        seed: integer that re-initialises the weights of both models, each with the initializer of
            its layer, and fixes the batch order. None keeps the weights (of trained models, for
            example) and orders batches as seed 0 does.
        value_range: (lowest, highest) allowed value of the inputs, or None for any.

    Raises:
        InputError: ``encoder`` or ``decoder`` is not a Keras model, their shapes do not match, or
            the initializer of a weight cannot be found.

    Example:
        >>> encoder = keras.Sequential([keras.Input((20,)), keras.layers.Dense(3)])
        >>> decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(20)])
        >>> model = Autoencoder(encoder, decoder, seed=0)
        >>> model.compile()
        >>> history = model.fit(x, epochs=5)
        >>> codes = model.encode(x)
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        seed: int | None = None,
        value_range: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, model in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(model, keras.Layer):
                raise InputError(
                    f"Expected {name} to be a Keras model. Received: {type(model).__name__}."
                )
        self.encoder = encoder
        self.decoder = decoder
        self.seed = None if seed is None else check_seed(seed)
        self.value_range = None if value_range is None else as_range(value_range)
        if sample_shape(encoder) is not None:
            self.build(encoder.input_shape)
            if seed is not None:
                redraw(self, seed)
        elif seed is not None:
            raise InputError(
                "Expected an encoder with a fixed input shape, since its weights are initialised "
                f"from the seed. Received: {encoder.name!r}, which has none; begin it with a "
                "keras.Input."
            )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Build encoder and decoder for inputs of ``input_shape``, which includes the batch axis.

        Raises:
            InputError: the codes of the encoder do not have the input shape of the decoder.
        """
        if not self.encoder.built:
            self.encoder.build(input_shape)
        code_shape = self.encoder.compute_output_shape(input_shape)
        required = sample_shape(self.decoder)
        if required is not None and tuple(code_shape[1:]) != required:
            raise InputError(
                f"Expected an encoder whose outputs fit the decoder, codes of shape {required}. "
                f"Received: codes of shape {tuple(code_shape[1:])} from {self.encoder.name!r}."
            )
        if not self.decoder.built:
            self.decoder.build(code_shape)
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the reconstructions of ``inputs`` as a tensor."""
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def encode(
        self, x: ArrayLike, batch_size: int | None = None, out: os.PathLike[str] | str | None = None
    ) -> np.ndarray:
        r"""Return the codes of the samples ``x``.

        Args:
            x: samples of shape (n, \*sample shape).
            batch_size: number of samples computed at once; by default it is chosen to suit the
                model.
            out: .npy file to write the codes to one chunk at a time, or None.

        Returns:
            NumPy float32 array of shape (n, \*code shape); with ``out`` a memory map of the file.
        """
        return predict_float32(self.encoder, self._check(x), batch_size, out)

    def decode(
        self,
        codes: ArrayLike,
        batch_size: int | None = None,
        out: os.PathLike[str] | str | None = None,
    ) -> np.ndarray:
        r"""Return reconstructions from ``codes``: float32 array of shape (n, \*sample shape).

        See `encode` for ``batch_size`` and ``out``.
        """
        codes = as_samples(codes, "codes", sample_shape(self.decoder), None)
        return predict_float32(self.decoder, codes, batch_size, out)

    def reconstruct(
        self, x: ArrayLike, batch_size: int | None = None, out: os.PathLike[str] | str | None = None
    ) -> np.ndarray:
        """Return reconstructions of the samples ``x``: float32 array of the shape of ``x``.

        See `encode` for ``batch_size`` and ``out``.
        """
        return predict_float32(self, self._check(x), batch_size, out)

    def compile(self, optimizer: Any = "adam", loss: Any = "mse", **kwargs: Any) -> None:
        """Compile as `keras.Model.compile`, by default with Adam and the mean squared error."""
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the compiled loss; the target defaults to the input."""
        if y is None and hasattr(x, "shape") and hasattr(y_pred, "shape"):
            _check_reconstruction(tuple(x.shape[1:]), tuple(y_pred.shape[1:]))
        return super().compute_loss(x, x if y is None else y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the compiled metrics; the target defaults to the input."""
        return super().compute_metrics(x, x if y is None else y, y_pred, sample_weight)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        plan: str | None = None,
        order: Literal["global", "blocks"] | None = None,
        window: int | str = "64 MiB",
        checkpoint: os.PathLike[str] | str | None = None,
        checkpoint_every: str = "1 epoch",
        keep: int = 3,
        resume: bool = False,
    ) -> keras.callbacks.History:
        """Train as `keras.Model.fit` does; ``y`` defaults to ``x``.

        ``validation_data`` may be an array of samples, which are their own targets. `ae_multi.fit`
        trains on arrays and on an `ae_multi.source`, with many steps in one program of the
        framework. See there for ``plan``, ``order``, ``window``, ``checkpoint``,
        ``checkpoint_every``, ``keep`` and ``resume``.

        The batch order of arrays depends on the seed of the model and on the number of epochs that
        it has been trained for. Ten calls of one epoch therefore use the same batches as one call
        of ten epochs, and a training that continues with ``initial_epoch=5`` the same as an
        uninterrupted one. ``steps_per_epoch`` ends an epoch after that many batches.
        Data sets, loaders and generators are passed to Keras unchanged and keep their own order.

        Returns:
            The `keras.callbacks.History` of the training.

        Raises:
            InputError: samples do not have the shape of the model, are not finite or are outside
                its range; the outputs of the decoder do not have the shape of the inputs and no
                targets are given; or a size or number of epochs is below 1.
            DivergenceError: the loss is NaN or infinite. The model keeps its last good weights.
        """
        if validation_data is not None:
            validation_data = as_validation(validation_data, self._check, self._check_target)
        if is_array_like(x):
            x, y, sample_weight = self._arrays(x, y, sample_weight)
        elif is_source(x):
            x = self._check(x)
        return training.fit(
            self,
            x,
            y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
            plan=plan,
            order=order,
            window=window,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            keep=keep,
            resume=resume,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: ArrayLike | None = None,
        steps: int | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Evaluate as `keras.Model.evaluate` does; ``y`` defaults to ``x``.

        Returns:
            The loss, or a list of loss and metrics; a dict by name if ``return_dict`` is True.
        """
        if kwargs:  # from Keras's `fit`, which passes prepared validation data
            return super().evaluate(callbacks=callbacks, return_dict=return_dict, **kwargs)
        if is_array_like(x):
            x, y, sample_weight = self._arrays(x, y, sample_weight)
        elif is_source(x):
            x = self._check(x)
        return training.evaluate(
            self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict
        )

    def summary(self, *args: Any, expand_nested: bool = True, **kwargs: Any) -> None:
        """Print `keras.Model.summary`, by default with the layers of encoder and decoder."""
        super().summary(*args, expand_nested=expand_nested, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return encoder, decoder and arguments as a configuration without weights."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "seed": self.seed,
            "value_range": self.value_range,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """Create the model that `get_config` describes."""
        models: dict[str, Any] = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects)
            for name in ("encoder", "decoder")
            if name in config
        }
        return cls(**{**config, **models})

    def _check(self, x: Any) -> Any:
        """Return ``x`` as a valid input array; pass data that are not an array on unchanged."""
        return as_samples(x, "x", sample_shape(self.encoder), self.value_range)

    def _arrays(self, x, y, sample_weight):
        """Return (inputs, targets, weights or None) as arrays of matching shapes."""
        arrays = as_arrays(x, y, sample_weight, self._check, self._check_target)
        return (*arrays, None)[:3]

    def _check_target(self, x: np.ndarray) -> None:
        """Raise `InputError` unless the inputs ``x`` can be their own targets."""
        if type(self).call is not Autoencoder.call:
            return  # `compute_loss` checks the outputs of an overridden `call`
        try:
            codes = self.encoder.compute_output_shape(x.shape)
            output_shape = self.decoder.compute_output_shape(codes)
            output_shape = tuple(size if size is None else int(size) for size in output_shape)
        except Exception:  # a custom layer may raise anything; `compute_loss` checks the outputs
            return
        _check_reconstruction(x.shape[1:], output_shape[1:])


def _check_reconstruction(input_shape, output_shape):
    """Raise `InputError` unless outputs can be compared with inputs value by value."""
    pairs = zip(input_shape, output_shape, strict=False)
    differ = any(None not in pair and len({*pair}) > 1 for pair in pairs)
    if len(input_shape) != len(output_shape) or differ:
        raise InputError(
            f"Expected a decoder whose outputs have the input's shape, {tuple(input_shape)}, since "
            f"no targets are given. Received: outputs of shape {tuple(output_shape)}. Change the "
            "decoder, or give targets: fit(x, y)."
        )
