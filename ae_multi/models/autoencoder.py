"""The base of every autoencoder: two Keras models, one behind the other."""

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.base import BaseModel, predict_float32
from ae_multi.models.inputs import (
    as_arrays,
    as_samples,
    as_validation,
    is_array_like,
    sample_shape,
)
from ae_multi.randomness.streams import check_seed
from ae_multi.randomness.weights import redraw


@keras.saving.register_keras_serializable("ae_multi")
class Autoencoder(BaseModel):
    r"""An encoder and a decoder, trained to give back what they were given.

    An ordinary `keras.Model` with three differences: the target of `fit` and `evaluate` is the
    input unless another is given, the mean squared error is the default loss, and batches come
    in an order that depends on (seed, epoch) alone, the same on every backend.

    Args:
        encoder: Keras model from inputs to codes.
        decoder: Keras model from codes to reconstructions.
        seed: integer that re-initialises the weights of both, each with its layer's own
            initializer, and fixes the batch order; None keeps the weights (of trained parts, for
            example) and orders batches as seed 0 does.
        value_range: (lowest, highest) value that the inputs may have, or None for any.

    Raises:
        InputError: parts that are no Keras models or do not fit each other, or a weight whose
            initializer cannot be found.

    Example:
        >>> encoder = keras.Sequential([keras.Input((20,)), keras.layers.Dense(3)])
        >>> decoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(20)])
        >>> model = Autoencoder(encoder, decoder, seed=0)
        >>> model.compile()
        >>> history = model.fit(x, epochs=5)
        >>> codes = model.encode(x)
    """

    def __init__(self, encoder, decoder, seed=None, value_range=None, **kwargs):
        super().__init__(**kwargs)
        for name, part in (("encoder", encoder), ("decoder", decoder)):
            if not isinstance(part, keras.Layer):
                raise InputError(
                    f"Expected {name} to be a Keras model. Received: {type(part).__name__}."
                )
        self.encoder = encoder
        self.decoder = decoder
        self.seed = None if seed is None else check_seed(seed)
        self.value_range = None if value_range is None else tuple(map(float, value_range))
        if sample_shape(encoder) is not None:
            self.build(encoder.input_shape)
            if seed is not None:
                redraw(self, seed)
        elif seed is not None:
            raise InputError(
                "Expected an encoder that knows the shape of its input, since its weights are to "
                f"be drawn from the seed. Received: {encoder.name!r}, which does not; begin it "
                "with a keras.Input."
            )

    def build(self, input_shape):
        """Make the weights of both parts for inputs of ``input_shape``, batch axis included."""
        if not self.encoder.built:
            self.encoder.build(input_shape)
        code_shape = self.encoder.compute_output_shape(input_shape)
        required = sample_shape(self.decoder)
        if required is not None and tuple(code_shape[1:]) != required:
            raise InputError(
                f"Expected the encoder to give what the decoder takes, codes of shape {required}. "
                f"Received: codes of shape {tuple(code_shape[1:])} from {self.encoder.name!r}."
            )
        if not self.decoder.built:
            self.decoder.build(code_shape)
        self.built = True

    def call(self, inputs, training=None):
        """Reconstructions of ``inputs``, as a tensor."""
        return self.decoder(self.encoder(inputs, training=training), training=training)

    def encode(self, x, batch_size=None):
        r"""Codes of the samples ``x``: NumPy float32 array of shape (n, \*code shape).

        ``batch_size`` samples are computed at once, by default a number that suits the model.
        """
        return predict_float32(self.encoder, self._check(x), batch_size)

    def decode(self, codes, batch_size=None):
        r"""Reconstructions from ``codes``: NumPy float32 array of shape (n, \*sample shape)."""
        codes = as_samples(codes, "codes", sample_shape(self.decoder), None)
        return predict_float32(self.decoder, codes, batch_size)

    def reconstruct(self, x, batch_size=None):
        """Reconstructions of the samples ``x``: NumPy float32 array of the shape of ``x``."""
        return predict_float32(self, self._check(x), batch_size)

    def compile(self, optimizer="adam", loss="mse", **kwargs):
        """As `keras.Model.compile`, with Adam and the mean squared error by default."""
        super().compile(optimizer=optimizer, loss=loss, **kwargs)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The compiled loss, against the input where no target is given."""
        if y is None and hasattr(x, "shape") and hasattr(y_pred, "shape"):
            _check_reconstruction(tuple(x.shape[1:]), tuple(y_pred.shape[1:]))
        return super().compute_loss(x, x if y is None else y, y_pred, sample_weight, training)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """The compiled metrics, against the input where no target is given."""
        return super().compute_metrics(x, x if y is None else y, y_pred, sample_weight)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
        plan=None,
        checkpoint=None,
        checkpoint_every="1 epoch",
        keep=3,
        resume=False,
    ):
        """As `keras.Model.fit`; ``y`` is ``x`` unless given, and ``validation_data`` may be ``x``.

        Arrays are trained on by `ae_multi.fit`, many steps in one program of the framework;
        ``plan`` is its. Their order depends on the model's seed and on how many epochs it has been
        trained for, so that ten calls of one epoch see the batches of one call of ten, and a
        training that continues with ``initial_epoch=5`` those of an unbroken one.
        ``steps_per_epoch`` takes that many batches of each epoch's order. Data sets, loaders and
        generators are handed to Keras as they are, in their own order.
        ``checkpoint``, ``checkpoint_every``, ``keep`` and ``resume`` are those of `ae_multi.fit`.

        Raises:
            InputError: samples of another shape than the model's, not finite or out of its
                range; a decoder whose outputs are not of the inputs' shape where no targets are
                given; sizes or epochs below 1.
            DivergenceError: a loss that is NaN or infinite; the model keeps its last good weights.
        """
        if validation_data is not None:
            validation_data = as_validation(validation_data, self._check, self._check_target)
        if is_array_like(x):
            x, y, sample_weight = self._arrays(x, y, sample_weight)
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
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            keep=keep,
            resume=resume,
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
        **rest,
    ):
        """As `keras.Model.evaluate`; ``y`` is ``x`` unless given."""
        if rest:  # Keras's own `fit` asks like this, about data that it has prepared
            return super().evaluate(callbacks=callbacks, return_dict=return_dict, **rest)
        if is_array_like(x):
            x, y, sample_weight = self._arrays(x, y, sample_weight)
        return training.evaluate(
            self, x, y, batch_size, verbose, sample_weight, steps, callbacks, return_dict
        )

    def summary(self, *args, expand_nested=True, **kwargs):
        """As `keras.Model.summary`, with the layers of both parts shown unless told otherwise."""
        super().summary(*args, expand_nested=expand_nested, **kwargs)

    def get_config(self):
        """The parts and arguments, for saving; weights are saved apart from it."""
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "seed": self.seed,
            "value_range": self.value_range,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The way back from `get_config`."""
        parts = {
            part: keras.saving.deserialize_keras_object(config[part], custom_objects)
            for part in ("encoder", "decoder")
            if part in config
        }
        return cls(**{**config, **parts})

    def _check(self, x):
        """``x`` as an array that this model can take; what is no array is left to Keras."""
        return as_samples(x, "x", sample_shape(self.encoder), self.value_range)

    def _arrays(self, x, y, sample_weight):
        """(inputs, targets, weights or None) as arrays that fit the model and each other."""
        arrays = as_arrays(x, y, sample_weight, self._check, self._check_target)
        return (*arrays, None)[:3]

    def _check_target(self, x):
        """Raise `InputError` unless the inputs ``x`` can be their own targets."""
        if type(self).call is not Autoencoder.call:
            return  # `compute_loss` sees what such a model returns
        try:
            codes = self.encoder.compute_output_shape(x.shape)
            given = self.decoder.compute_output_shape(codes)
            given = tuple(size if size is None else int(size) for size in given)
        except Exception:  # a layer's own code may raise anything; `compute_loss` sees the outputs
            return
        _check_reconstruction(x.shape[1:], given[1:])


def _check_reconstruction(expected, given):
    """Raise `InputError` where outputs cannot be compared with inputs value by value."""
    pairs = zip(expected, given, strict=False)
    if len(expected) != len(given) or any(None not in pair and len({*pair}) > 1 for pair in pairs):
        raise InputError(
            f"Expected a decoder that gives samples of the input's shape, {tuple(expected)}, since "
            f"no targets are given. Received: outputs of shape {tuple(given)}. Change the decoder, "
            "or give targets: fit(x, y)."
        )
