"""Dimensionality reduction: the codes of an autoencoder as a scikit-learn transformer."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ae_multi._keras import keras
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.inputs import shape_of, take
from ae_multi.estimators.scores import negative_mse
from ae_multi.models.base import predict_float32

# Samples of at least _WIDE values use hidden layers of these sizes by default, not one of 256.
_WIDE, _PYRAMID = 256, (512, 256, 128)


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """Transformer of samples to codes and back: a nonlinear alternative to PCA.

    Has the parameters and attributes of `NetworkEstimator`; the parameters below differ.

    Args:
        latent_dim (int, default 8): size of the code, the number of columns that `transform`
            returns.
        hidden (sequence of int or "auto", default "auto"): as in `NetworkEstimator`. "auto" for
            "deep" and samples of at least 256 values is those of 512, 256 and 128 that are at
            least eight times the size of the code.
        activation (str, default "auto"): as in `NetworkEstimator`. "auto" for "deep" is "elu",
            with which networks of several layers train faster and reconstruct better.
        epochs (int or "auto", default "auto"): as in `NetworkEstimator`; "auto" is at least 20
            epochs.
        batch_size (int, default 64): samples per step.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> x = load_digits().data / 16.0  # (1797, 64), within [0, 1]
        >>> reducer = AutoencoderTransformer(latent_dim=9, scale=None, epochs=20).fit(x)
        >>> reducer.transform(x).shape
        (1797, 9)
        >>> reducer.inverse_transform(reducer.transform(x)).shape
        (1797, 64)
    """

    def __init__(
        self,
        model: str | keras.Model = "deep",
        *,
        latent_dim: int = 8,
        hidden: Sequence[int] | Literal["auto"] = "auto",
        activation: str = "auto",
        image_shape: Sequence[int] | None = None,
        scale: Literal["minmax", "standard"] | None = "minmax",
        loss: str = "mse",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 64,
        learning_rate: float = 1e-3,
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

    def transform(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the codes of the samples X: float32 of shape (n, codes)."""
        scaled = self._checked(X)
        codes = predict_float32(self.network_.encoder, scaled)
        return codes.reshape(len(codes), -1)

    def inverse_transform(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        r"""Return reconstructions of the codes X.

        Args:
            X: codes of shape (n, codes).

        Returns:
            Array of shape (n, \*sample shape), with the sample shape of X in `fit`.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=np.float32, input_name="X")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {codes.shape[1]} features, but {type(self).__name__} is expecting "
                f"{self._n_features_out} codes as input."
            )
        codes = codes.reshape(len(codes), *self._code_shape())
        outputs = self._unscaled(predict_float32(self.network_.decoder, codes))
        return outputs.reshape(len(outputs), *self.given_shape_)

    def reconstruct(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the reconstructions of the samples X, in the shape and units of X."""
        outputs = self._unscaled(self._outputs(self._checked(X)))
        return outputs.reshape(len(outputs), *(shape_of(X) or self.given_shape_))

    def score_samples(self, X: ArrayLike) -> np.ndarray:  # noqa: N803
        """Return the negative mean squared error of each sample, in scaled values: float64 (n,)."""
        scaled = self._checked(X)
        return negative_mse(scaled, self._outputs(scaled))

    def score(self, X: ArrayLike, y: Any = None) -> float:  # noqa: N803
        """Return the mean of `score_samples`, at most 0; larger is better.

        Args:
            X: samples.
            y: ignored; present for API consistency.
        """
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _take(self, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, None]:
        samples = take(self, x, reset)
        if reset:
            self.given_shape_ = shape_of(x) or samples.shape[1:]
        return samples, None

    _min_epochs = 20

    def _hidden(self):
        values = math.prod(self.sample_shape_)
        if self.model != "deep" or self.hidden != "auto" or values < _WIDE:
            return self.hidden
        return tuple(s for s in _PYRAMID if s >= 8 * self.latent_dim) or _PYRAMID[:1]

    def _activation(self):
        return "elu" if (self.model, self.activation) == ("deep", "auto") else self.activation

    def _code_shape(self) -> tuple[int, ...]:
        return tuple(self.network_.encoder.output_shape[1:])

    @property
    def _n_features_out(self) -> int:
        return math.prod(self._code_shape())
