"""Fewer numbers for each sample: the code of an autoencoder, as a scikit-learn transformer."""

import math

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.inputs import shape_of, take
from ae_multi.estimators.scores import negative_mse
from ae_multi.models.base import predict_float32

# From so many values on, layers of these sizes take a sample apart, and not one of 256.
_WIDE, _PYRAMID = 256, (512, 256, 128)


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NetworkEstimator):
    """Codes of samples, and samples from codes: PCA's place in a pipeline, bent along the data.

    Takes the parameters of `NetworkEstimator` and has its attributes.

    Args:
        latent_dim: size of the code, the number of columns that `transform` gives.
        hidden: as in `NetworkEstimator`; "auto" for "deep" and samples of 256 values and more is
            those of 512, 256 and 128 that are at least eight times as wide as the code.
        activation: as in `NetworkEstimator`; "auto" for "deep" is "elu", with which networks of
            several layers learn faster and reconstruct better.
        epochs: as in `NetworkEstimator`; "auto" is at least 20 epochs.

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
        model="deep",
        *,
        latent_dim=8,
        hidden="auto",
        activation="auto",
        image_shape=None,
        scale="minmax",
        loss="mse",
        epochs="auto",
        batch_size=64,
        learning_rate=1e-3,
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

    def transform(self, X):  # noqa: N803
        """Codes of the samples X: float32 of shape (n, codes)."""
        scaled = self._checked(X)
        codes = predict_float32(self.network_.encoder, scaled)
        return codes.reshape(len(codes), -1)

    def inverse_transform(self, X):  # noqa: N803
        r"""Reconstructions from codes X of shape (n, codes): (n, \*sample shape), as in `fit`."""
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

    def reconstruct(self, X):  # noqa: N803
        """Reconstructions of the samples X, in X's shape and units."""
        outputs = self._unscaled(self._outputs(self._checked(X)))
        return outputs.reshape(len(outputs), *(shape_of(X) or self.given_shape_))

    def score_samples(self, X):  # noqa: N803
        """How normal each sample is: its negative mean squared error, scaled; float64 (n,)."""
        scaled = self._checked(X)
        return negative_mse(scaled, self._outputs(scaled))

    def score(self, X, y=None):  # noqa: N803
        """The mean of `score_samples`: the larger, the better, 0 at best."""
        return float(np.mean(self.score_samples(X)))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _take(self, x, y, reset):
        samples = take(self, x, reset)
        if reset:
            self.given_shape_ = shape_of(x) or samples.shape[1:]
        return samples, None

    _fewest_epochs = 20

    def _hidden(self):
        values = math.prod(self.sample_shape_)
        if self.model != "deep" or self.hidden != "auto" or values < _WIDE:
            return self.hidden
        return tuple(s for s in _PYRAMID if s >= 8 * self.latent_dim) or _PYRAMID[:1]

    def _activation(self):
        return "elu" if (self.model, self.activation) == ("deep", "auto") else self.activation

    def _code_shape(self):
        return tuple(self.network_.encoder.output_shape[1:])

    @property
    def _n_features_out(self):
        return math.prod(self._code_shape())
