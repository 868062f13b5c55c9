"""Noise taken out of samples, learned from clean ones or from noisy and clean pairs."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ae_multi import models
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.inputs import shape_of, take
from ae_multi.estimators.networks import NETWORKS, check_no_activation
from ae_multi.estimators.parameters import check_number
from ae_multi.estimators.scaling import scale
from ae_multi.randomness import GaussianNoise, streams

_FILTERS = (32, 64, 128)  # of "unet"


class Denoiser(OneToOneFeatureMixin, TransformerMixin, NetworkEstimator):
    r"""Gives back clean samples for noisy ones.

    Takes the parameters of `NetworkEstimator` and has its attributes. Trained on
    E ||x - g(f(x + n))||², n ~ N(0, σ²), with noise of its own in every step (Vincent et al.,
    "Extracting and composing robust features with denoising autoencoders", ICML 2008).

    Args:
        model: "unet" (`ae_multi.RestorationNetwork`, for images), another as in
            `NetworkEstimator`, or "auto": "unet" for images and "deep" for tables.
        hidden: sizes of the layers between input and code, or "auto"; for "unet" channels at each
            size, and the code's are the last.
        latent_dim: size of the code, or "auto": 128; not used by "unet".
        loss: Keras's name of the loss, or "auto": the cross-entropy for "unet" and values within
            [0, 1], which is smallest where the mean squared error is, and "mse" otherwise.
        noise: σ, standard deviation of the noise that training adds to clean samples, in scaled
            values: for "minmax" and None a share of the range from 0 to 1. Noisy values are cut
            off there, as a camera's are, in training and in use. Not used where `fit` is given
            pairs.
        epochs: as in `NetworkEstimator`; "auto" is at least 8 epochs of "unet".

    Attributes:
        pairs\_: whether it has learned from pairs.

    Example:
        >>> from ae_multi import load_data
        >>> data = load_data("digits")
        >>> denoiser = Denoiser(noise=0.4, scale=None, epochs=5).fit(data.x_train)
        >>> denoiser.transform(data.x_test).shape
        (360, 28, 28, 1)
    """

    def __init__(
        self,
        model="auto",
        *,
        noise=0.4,
        latent_dim="auto",
        hidden="auto",
        activation="auto",
        image_shape=None,
        scale="minmax",
        loss="auto",
        epochs="auto",
        batch_size=32,
        learning_rate=2e-3,
        schedule="cosine",
        early_stopping=False,
        validation_fraction=0.1,
        patience=10,
        random_state=0,
        checkpoint=None,
        checkpoint_every="1 epoch",
        verbose=0,
    ):
        super().__init__(
            model,
            latent_dim=latent_dim,
            hidden=hidden,
            activation=activation,
            image_shape=image_shape,
            scale=scale,
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            patience=patience,
            random_state=random_state,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            verbose=verbose,
        )
        self.noise = noise

    def fit(self, X, y=None):  # noqa: N803
        """Learn from clean samples X, or from noisy samples X and their clean counterparts y.

        Args:
            X: clean samples, to which training adds noise; or noisy ones, where ``y`` is given.
            y: clean samples of X's shape, or None.
        """
        return super().fit(X, y)

    def transform(self, X):  # noqa: N803
        """Clean samples for the noisy samples X, in X's shape and units."""
        noisy = self._noisy(X)
        outputs = self._unscaled(self._outputs(noisy))
        return outputs.reshape(len(outputs), *(shape_of(X) or self.sample_shape_))

    def score(self, X, y=None):  # noqa: N803
        """The negative mean squared error, scaled, of what is made of noisy samples.

        Args:
            X: noisy samples, where ``y`` is given; otherwise clean ones, to which noise of the
                strength ``noise`` is added, the same at each call.
            y: clean samples, or None.
        """
        if y is None:
            clean = self._checked(X)
            drawn = streams.normal(self.seed_, "score/noise", clean.shape)
            noisy = clean + np.float32(self.noise) * drawn.astype(np.float32)
            noisy = np.clip(noisy, 0, 1) if self._bounded() else noisy
        else:
            noisy = self._noisy(X)
            clean = self._scaled(self._counterparts(y, len(noisy)))
        outputs = self._outputs(noisy)
        return -float(np.mean(np.square(outputs - clean), dtype=np.float64))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_parameters(self):
        super()._check_parameters()
        check_number("noise", self.noise, 0, np.inf)

    def _take(self, x, y, reset):
        samples = take(self, x, reset)
        if not reset and self.pairs_ != (y is not None):
            raise InputError(
                f"Expected {'pairs' if self.pairs_ else 'clean samples alone'}, as at first. "
                f"Received: {'no clean samples' if self.pairs_ else 'pairs'}."
            )
        self.pairs_ = y is not None
        return samples, None if y is None else self._counterparts(y, len(samples))

    def _counterparts(self, y, samples):
        """Clean samples, checked against the noisy ones."""
        y = take(self, y, reset=False)
        if len(y) != samples:
            raise InputError(
                f"Expected a clean sample for each of the {samples} noisy ones. Received: {len(y)}."
            )
        return y

    def _learn(self, scaling, x, y):
        scaling.update(x if y is None else y)

    def _kind(self):
        """The name of the model, or the caller's own."""
        # "denoising" has noise of its own.
        known = ("auto", "unet", *(name for name in NETWORKS if name != "denoising"))
        if isinstance(self.model, str) and self.model not in known:
            raise InputError(
                f"Expected model to be one of {', '.join(known)}, or a Keras model. "
                f"Received: {self.model!r}."
            )
        if not isinstance(self.model, str) or self.model != "auto":
            return self.model
        return "unet" if len(self.sample_shape_) in (2, 3) else "deep"

    @property
    def _fewest_epochs(self):
        # Each sample has new noise in each epoch, so that of many images few epochs will do.
        return 8 if self._kind() == "unet" else 10

    def _latent_dim(self):
        return 128 if self.latent_dim == "auto" else self.latent_dim

    def _hidden(self):
        if self.hidden != "auto":
            return self.hidden
        return {"unet": _FILTERS, "deep": (512,)}.get(self._kind(), "auto")

    def _loss(self):
        if self.loss == "auto":
            return getattr(self.network_, "default_loss", "mse")
        return self.loss

    def _build(self):
        if self._kind() == "unet":
            return self._unet()
        network = super()._build()
        if self.pairs_:
            return network
        front = [
            keras.Input(self.sample_shape_),
            GaussianNoise(self.noise, seed=self.seed_),
            *([keras.layers.ReLU(max_value=1.0)] if self._bounded() else []),
        ]
        return models.Autoencoder(keras.Sequential([*front, network.encoder]), network.decoder)

    def _unet(self):
        if len(self.sample_shape_) not in (2, 3):
            raise InputError(
                "Expected images for the model 'unet', (n, height, width) or (n, height, width, "
                f"channels). Received: samples of shape {self.sample_shape_}; image_shape says "
                "what shape rows have."
            )
        check_no_activation("unet", self.activation)
        return models.RestorationNetwork(
            self._hidden(),
            0 if self.pairs_ else float(self.noise),
            self.sample_shape_,
            self.seed_,
            (0, 1) if self._bounded() else None,
        )

    def _prepared(self, x, y):
        if y is None:
            return super()._prepared(x, y)
        return scale(x, self.input_offset_, self.input_span_), self._scaled(y)

    def _noisy(self, x):
        """Noisy samples, scaled; noise may take them out of the range that clean ones have."""
        check_is_fitted(self)
        return scale(take(self, x, reset=False), self.input_offset_, self.input_span_)
