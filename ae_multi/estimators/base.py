"""Base class of the estimators: parameters and training."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ae_multi._keras import keras
from ae_multi.data.checks import check_array
from ae_multi.data.source import is_source
from ae_multi.environment import estimator_provenance
from ae_multi.errors import InputError
from ae_multi.estimators.chunks import Chunks, parts_of, reiterable
from ae_multi.estimators.fitting import epochs_for, learning_rates, train_chunks, train_whole
from ae_multi.estimators.inputs import take
from ae_multi.estimators.networks import build
from ae_multi.estimators.parameters import (
    check_no_checkpoint,
    check_parameters,
    seed_of,
    with_plain_parameters,
)
from ae_multi.estimators.persistence import PersistenceMixin
from ae_multi.estimators.scaling import Scaling, scale, unscale
from ae_multi.estimators.source_fit import fit_source
from ae_multi.models.base import predict_float32


class NetworkEstimator(PersistenceMixin, BaseEstimator):
    r"""Base class of all estimators: an autoencoder with the API of scikit-learn.

    ``KERAS_BACKEND`` selects the backend. X is an array or data frame of shape (n, features),
    images of shape (n, height, width) or (n, height, width, channels), or rows of pixels with
    ``image_shape``. Channels come last, whatever the value of `keras.config.image_data_format`.

    Returned samples and codes are float32, also under Keras's half-precision policies. They are
    float64 if X has values that are too large or too small for float32. Parameters may be NumPy
    numbers and arrays.

    Args:
        model (str or keras.Model, default "deep"): "simple", "deep", "conv", "denoising", "sparse",
            "contractive", "variational", "vector_quantized", or an uncompiled Keras model from
            inputs to reconstructions with ``encoder`` and ``decoder``, such as `Autoencoder`. `fit`
            trains a copy that starts from the current weights of the model.
        latent_dim (int or "auto", default "auto"): size of the code. "auto" is a quarter of the
            number of values of a sample, clipped to [1, 16].
        hidden (sequence of int or "auto", default "auto"): sizes of the layers between input and
            code (numbers of filters for "conv").
        activation (str, default "auto"): Keras name of the activation of these layers. "auto" is
            the default of the model, "relu". "simple" and "conv" accept no other value. A Keras
            model keeps its activations.
        image_shape (sequence of int or None, default None): shape of the image in one row of X.
        scale ("minmax", "standard" or None, default "minmax"): "minmax" scales the data of `fit`
            to [0, 1], "standard" to mean 0 and standard deviation 1: each feature of a table, and
            all pixels of images together. None does not scale; X must then be within [0, 1] for
            models given by name. A constant feature is scaled to 0 and reconstructed as the
            constant.
        loss (str, default "mse"): Keras name of the loss.
        epochs (int or "auto", default "auto"): number of passes over all samples. "auto" is the
            number that makes about 2,500 steps, clipped to [10, 1000].
        batch_size (int, default 128): samples per step.
        learning_rate (float, default 1e-3): learning rate of Adam in the first epoch.
        schedule ("cosine" or None, default "cosine"): "cosine" decreases the learning rate to
            nearly 0 in the last epoch along half a cosine; None keeps it constant. `partial_fit`
            has no last epoch and keeps it constant too.
        early_stopping (bool, default False): whether to hold out samples, to stop when their loss
            has not decreased for ``patience`` epochs, and to restore the best weights.
        validation_fraction (float, default 0.1): fraction of the samples to hold out.
        patience (int, default 10): number of epochs without improvement before training stops.
        random_state (int, numpy.random.RandomState or None, default 0): seed of weights, order,
            noise and held-out samples, the same on every backend. A ``RandomState`` or None draws
            a seed.
        checkpoint (path or None, default None): folder of checkpoints. A `fit` that was killed
            resumes when it is called again with the same parameters and data, and returns the
            result of an uninterrupted fit; a `fit` that is complete returns its result without
            training. Different fits, such as those of a grid search, can share the folder: each
            uses a subfolder of its own. Old subfolders are not deleted.
        checkpoint_every (str, default "1 epoch"): interval of checkpoints, such as "1 epoch",
            "500 steps" or "5 minutes".
        verbose (bool or int, default 0): whether to show progress.

    Attributes:
        network\_: the trained Keras model.
        loss_curve\_: mean training loss of each epoch.
        validation_loss_curve\_: loss on the held-out samples after each epoch, or None.
        n_iter\_: number of epochs trained.
        n_features_in\_, feature_names_in\_: as in scikit-learn; the number of features of an image
            is its number of values.
        sample_shape\_: shape of one sample as input of the network.
        input_offset\_, input_span\_: fitted offset and span of the scaling; None without scaling.
        seed\_: seed derived from ``random_state``.
        provenance\_: versions, backend, device and date of the training.
    """

    def __init__(
        self,
        model: str | keras.Model = "deep",
        *,
        latent_dim: int | Literal["auto"] = "auto",
        hidden: Sequence[int] | Literal["auto"] = "auto",
        activation: str = "auto",
        image_shape: Sequence[int] | None = None,
        scale: Literal["minmax", "standard"] | None = "minmax",
        loss: str = "mse",
        epochs: int | Literal["auto"] = "auto",
        batch_size: int = 128,
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
        self.model = model
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.image_shape = image_shape
        self.scale = scale
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.checkpoint_every = checkpoint_every
        self.verbose = verbose

    @with_plain_parameters
    def fit(self, X: ArrayLike, y: Any = None) -> Self:  # noqa: N803
        """Fit the estimator to the samples X.

        Args:
            X: samples, or an `ae_multi.source` of them, which is read in windows.
            y: ignored; present for API consistency.

        Returns:
            The fitted estimator.

        Raises:
            ValueError: input that scikit-learn rejects: NaN, text, a single sample.
            InputError: invalid parameters or shapes.
            DivergenceError: the loss became NaN or infinite.
        """
        self._check_parameters()
        self.seed_ = seed_of(self.random_state)
        if is_source(X):
            fit_source(self, X, y)
            return self
        data = self._take(X, y, reset=True)
        return self._fit([data], in_memory=True)

    @with_plain_parameters
    def fit_chunks(self, chunks: Iterable[Any] | Callable[[], Iterable[Any]]) -> Self:
        """Fit the estimator to data larger than memory, like `fit` on one array.

        Each pass reads all chunks: one pass for scaling, then one for each epoch, or two with
        early stopping. Batches do not cross the end of a chunk, and samples are shuffled within
        their chunk.

        Args:
            chunks: a list, an object with ``__iter__``, or a function without arguments that
                returns an iterator; of arrays X, or of tuples (X, y).

        Returns:
            The fitted estimator.

        Raises:
            InputError: chunks that can be iterated only once, no chunks, a ``checkpoint``, or as
                `fit`.
        """
        self._check_parameters()
        check_no_checkpoint(self, "fit_chunks")
        self.seed_ = seed_of(self.random_state)
        passes, is_first = reiterable(chunks), True

        def checked_chunks():
            nonlocal is_first
            for chunk in passes:
                reset, is_first = is_first, False
                yield self._take(*parts_of(chunk), reset=reset)

        return self._fit(Chunks(checked_chunks), in_memory=False)

    @with_plain_parameters
    def partial_fit(self, X: ArrayLike, y: Any = None, **kwargs: Any) -> Self:  # noqa: N803
        """Train for one epoch on X.

        The first call fits the scaling; later calls keep it.

        Args:
            X: samples.
            y: ignored; present for API consistency.
            **kwargs: arguments of the first call that a subclass defines.

        Returns:
            The fitted estimator.

        Raises:
            InputError: a ``checkpoint``, samples of another shape than in the first call, or as
                `fit`.
        """
        check_no_checkpoint(self, "partial_fit")
        is_first = not hasattr(self, "network_")
        if is_first:
            self._check_parameters()
            self.seed_ = seed_of(self.random_state)
        data = self._take(X, y, reset=is_first)
        if is_first:
            self._begin([data], **kwargs)
        rate = learning_rates(self, None)
        self._train([data], self.n_iter_ + 1, rate, in_memory=False)
        self._finish([data])
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return bool(getattr(self, "loss_curve_", ()))

    def _check_parameters(self) -> None:
        check_parameters(self)

    def _take(self, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, np.ndarray | None]:
        """Return validated (samples, targets or None), not yet scaled."""
        return take(self, x, reset), None

    def _fit(self, chunks: Iterable[tuple], in_memory: bool) -> Self:
        self._begin(chunks)
        epochs = epochs_for(self.epochs, self.n_samples_seen_, self.batch_size, self._min_epochs)
        self._train(chunks, epochs, learning_rates(self, epochs), in_memory)
        self._finish(chunks)
        return self

    def _begin(self, chunks):
        """Fit the scaling, build and compile the network, and reset the training history."""
        scaling, self.n_samples_seen_ = None, 0
        for x, y in chunks:
            if scaling is None:
                scaling = Scaling(self.scale, each=len(self.sample_shape_) == 1)
            self._learn(scaling, x, y)
            self.n_samples_seen_ += len(x)
        if scaling is None:
            raise InputError("Expected at least one chunk. Received: none.")
        self.input_offset_, self.input_span_ = scaling.learned()
        self.network_ = self._build()
        self._compile()
        self.loss_curve_, self.n_iter_ = [], 0
        self.validation_loss_curve_ = [] if self.early_stopping else None
        self.provenance_ = estimator_provenance()

    def _learn(self, scaling: Scaling, x: np.ndarray, y: np.ndarray | None) -> None:
        """Update the scaling with one chunk; subclasses also update other fitted attributes."""
        scaling.update(x)

    def _build(self) -> keras.Model:
        return build(
            self._kind(),
            self.sample_shape_,
            self._latent_dim(),
            self._hidden(),
            self._activation(),
            self.seed_,
            self._is_bounded(),
        )

    @property
    def _network_shape(self) -> tuple[int, ...]:
        """Shape of one sample of the network."""
        return self.sample_shape_

    # Fitted attributes of a class that its file must have.
    _required_attributes: tuple[str, ...] = ()

    # Values of "auto"; subclasses override them.

    _min_epochs = 10

    def _kind(self) -> str | keras.Model:
        return self.model

    def _latent_dim(self) -> int:
        if self.latent_dim == "auto":
            return min(max(self.n_features_in_ // 4, 1), 16)
        return self.latent_dim

    def _hidden(self) -> Sequence[int] | Literal["auto"]:
        return self.hidden

    def _activation(self) -> str:
        return self.activation

    def _loss(self) -> Any:
        return self.loss

    def _is_bounded(self) -> bool:
        """Return whether scaled values are within [0, 1]."""
        return self.scale != "standard"

    def _compile(self) -> None:
        optimizer = keras.optimizers.Adam(self.learning_rate)
        self.network_.compile(optimizer=optimizer, loss=self._loss())

    def _train(
        self,
        chunks: Iterable[tuple],
        epochs: int,
        rate: Callable[[int], float],
        in_memory: bool,
    ) -> None:
        """Train up to epoch ``epochs`` with learning rate ``rate(epoch)``; record the losses."""

        def prepared():
            return (self._prepared(x, y) for x, y in chunks)

        if in_memory:
            inputs, targets = next(prepared())
            losses, validation_losses = train_whole(self, inputs, targets, epochs, rate)
        else:
            losses, validation_losses = train_chunks(
                self, Chunks(prepared), epochs, rate, begin=self.n_iter_
            )
        self.loss_curve_ = self.loss_curve_ + losses
        self.n_iter_ += len(losses)
        if validation_losses is not None:
            self.validation_loss_curve_ = (self.validation_loss_curve_ or []) + validation_losses

    def _prepared(self, x: np.ndarray, y: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """Return scaled (inputs, targets) of the network."""
        inputs = self._scaled(x)
        return inputs, inputs

    def _finish(self, chunks: Iterable[tuple]) -> None:
        """Compute fitted attributes that need the trained network; a hook for subclasses."""

    def _scaled(self, x: np.ndarray) -> np.ndarray:
        """Return samples scaled for the network.

        Raises:
            InputError: without scaling, samples outside the value range of the network.
        """
        if self.scale is None:
            return check_array(x, "X", value_range=getattr(self.network_, "value_range", None))
        return scale(x, self.input_offset_, self.input_span_)

    def _unscaled(self, x: np.ndarray) -> np.ndarray:
        return unscale(x, self.input_offset_, self.input_span_)

    def _checked(self, x: Any) -> np.ndarray:
        """Return validated and scaled samples; the estimator must be fitted."""
        check_is_fitted(self)
        return self._scaled(take(self, x, reset=False))

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return predict_float32(self.network_, scaled)
