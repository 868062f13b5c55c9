"""Denoising of samples, learned from clean samples or from pairs of noisy and clean samples."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
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
    r"""Estimator that removes noise from samples.

    Has the parameters and attributes of `NetworkEstimator`; the parameters below differ. Training
    minimises E ||x - g(f(x + n))||², n ~ N(0, σ²), with new noise in every step (Vincent et al.,
    "Extracting and composing robust features with denoising autoencoders", ICML 2008).

    Args:
        model (str or keras.Model, default "auto"): "unet" (`ae_multi.RestorationNetwork`, for
            images), a model of `NetworkEstimator` except "denoising", or "auto": "unet" for images
            and "deep" for tables.
        noise (float, default 0.4): σ, the standard deviation of the noise that training adds to
            clean samples, in scaled values. With ``scale`` "minmax" or None it is relative to the
            range [0, 1], and noisy values are clipped to this range as a camera clips them, in
            training and in prediction. Not used if `fit` receives pairs.
        latent_dim (int or "auto", default "auto"): size of the code; "auto" is 128. Not used by
            "unet".
        hidden (sequence of int or "auto", default "auto"): sizes of the layers between input and
            code. For "unet": channels at each resolution, those of the code last.
        loss (str, default "auto"): Keras name of the loss. "auto" is the cross-entropy for "unet"
            with values within [0, 1], which has the same minimum as the mean squared error, and
            "mse" otherwise.
        epochs (int or "auto", default "auto"): as in `NetworkEstimator`; "auto" is at least 8
            epochs for "unet".
        batch_size (int, default 32): samples per step.
        learning_rate (float, default 2e-3): learning rate of Adam in the first epoch.

    Attributes:
        pairs\_: whether it was fitted to pairs of noisy and clean samples.

    Example:
        >>> from ae_multi import load_data
        >>> data = load_data("digits")
        >>> denoiser = Denoiser(noise=0.4, scale=None, epochs=5).fit(data.x_train)
        >>> denoiser.transform(data.x_test).shape
        (360, 28, 28, 1)
    """

    def __init__(
        self,
        model: str | keras.Model = "auto",
        *,
        noise: float = 0.4,
        latent_dim: int | Literal["auto"] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        activation: str = "auto",
        image_shape: Sequence[int] | None = None,
        scale: Literal["minmax", "standard"] | None = "minmax",
        loss: str = "auto",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 32,
        learning_rate: float = 2e-3,
        schedule: Literal["cosine"] | None = "cosine",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        patience: int = 10,
        random_state: int | np.random.RandomState | None = 0,
        checkpoint: os.PathLike[str] | str | None = None,
        checkpoint_every: str = "1 epoch",
        verbose: bool | int = 0,
    ) -> None:
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

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:  # noqa: N803
        """Fit to clean samples X, or to noisy samples X and the corresponding clean samples y.

        Args:
            X: clean samples, to which training adds noise; noisy samples if ``y`` is not None.
            y: clean samples of the same shape as X, or None.

        Returns:
            The fitted estimator.
        """
        return super().fit(X, y)

    def transform(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return denoised samples for the noisy samples X, in the shape and units of X."""
        noisy = self._noisy(X)
        outputs = self._unscaled(self._outputs(noisy))
        return outputs.reshape(len(outputs), *(shape_of(X) or self.sample_shape_))

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:  # noqa: N803
        """Return the negative mean squared error of denoised samples, in scaled values.

        Args:
            X: noisy samples if ``y`` is not None; otherwise clean samples, to which noise of
                standard deviation ``noise`` is added, the same in each call.
            y: clean samples, or None.
        """
        if y is None:
            clean = self._checked(X)
            drawn = streams.normal(self.seed_, "score/noise", clean.shape)
            noisy = clean + np.float32(self.noise) * drawn.astype(np.float32)
            noisy = np.clip(noisy, 0, 1) if self._is_bounded() else noisy
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

    def _take(self, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray | None]:
        samples = take(self, x, reset)
        has_pairs: bool = getattr(self, "pairs_", False)
        if not reset and has_pairs != (y is not None):
            raise InputError(
                f"Expected {'pairs' if has_pairs else 'clean samples alone'}, as in the first "
                f"call. Received: {'no clean samples' if has_pairs else 'pairs'}."
            )
        self.pairs_ = y is not None
        return samples, None if y is None else self._counterparts(y, len(samples))

    def _counterparts(self, y: Any, samples: int) -> np.ndarray:
        """Return validated clean samples; their number must be ``samples``."""
        y = take(self, y, reset=False)
        if len(y) != samples:
            raise InputError(
                f"Expected a clean sample for each of the {samples} noisy ones. Received: {len(y)}."
            )
        return y

    def _learn(self, scaling, x, y):
        scaling.update(x if y is None else y)

    def _kind(self):
        """Return the name of the model, or the Keras model."""
        # "denoising" adds noise itself.
        names = ("auto", "unet", *(name for name in NETWORKS if name != "denoising"))
        if isinstance(self.model, str) and self.model not in names:
            raise InputError(
                f"Expected model to be one of {', '.join(names)}, or a Keras model. "
                f"Received: {self.model!r}."
            )
        if not isinstance(self.model, str) or self.model != "auto":
            return self.model
        return "unet" if len(self.sample_shape_) in (2, 3) else "deep"

    @property
    def _min_epochs(self):
        # Each sample has new noise in each epoch, so few epochs suffice for many images.
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
        noise_layers = [
            keras.Input(self.sample_shape_),
            GaussianNoise(self.noise, seed=self.seed_),
            *([keras.layers.ReLU(max_value=1.0)] if self._is_bounded() else []),
        ]
        return models.Autoencoder(
            keras.Sequential([*noise_layers, network.encoder]), network.decoder
        )

    def _unet(self):
        if len(self.sample_shape_) not in (2, 3):
            raise InputError(
                "Expected images for the model 'unet', (n, height, width) or (n, height, width, "
                f"channels). Received: samples of shape {self.sample_shape_}. For rows of pixels "
                "set image_shape."
            )
        check_no_activation("unet", self.activation)
        return models.RestorationNetwork(
            self._hidden(),
            0 if self.pairs_ else float(self.noise),
            self.sample_shape_,
            self.seed_,
            (0, 1) if self._is_bounded() else None,
        )

    def _prepared(self, x: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if y is None:
            return super()._prepared(x, y)
        return scale(x, self.input_offset_, self.input_span_), self._scaled(y)

    def _noisy(self, x: Any) -> np.ndarray:
        """Return scaled noisy samples; noise may take them out of the range of clean samples."""
        check_is_fitted(self)
        return scale(take(self, x, reset=False), self.input_offset_, self.input_span_)
