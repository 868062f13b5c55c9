"""Base class of estimators that train on windows of time series."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ae_multi import models
from ae_multi.argument_checks import check_positive
from ae_multi.errors import InputError
from ae_multi.estimators import windows
from ae_multi.estimators.base import NetworkEstimator
from ae_multi.estimators.chunks import Chunks
from ae_multi.estimators.fitting import epochs_for, learning_rates, train_chunks, train_whole
from ae_multi.estimators.inputs import take
from ae_multi.estimators.networks import build
from ae_multi.estimators.parameters import check_no_checkpoint, seed_of, with_plain_parameters
from ae_multi.models.dense import dense_parts
from ae_multi.models.sequence import conv_sequence_parts, lstm_parts

# Sizes of the hidden layers for "auto", and the range of the size of the code.
_HIDDEN = {"conv": (32, 64, 64), "lstm": (64,), "deep": (256,)}
_LATENT_DIMS, _VALUES_PER_CODE = (4, 32), 16
# Maximum number of bytes of windows that are copied at once in training.
MAX_TRAINING_BYTES = 2**28


class WindowEstimator(NetworkEstimator):
    r"""Estimator whose samples are timestamps, and whose network reconstructs windows of them.

    Segments of each series are held out of training; see `ae_multi.estimators.windows.split`.
    Subclasses have the parameters ``window`` and ``stride``, and those of `NetworkEstimator` but
    the ones that are set here.
    """

    window: int
    stride: int
    image_shape = None
    activation = "auto"
    loss = "mse"
    early_stopping = False
    _min_epochs = 10

    @with_plain_parameters
    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: N803
        """Fit to normal series, or to series of which few timestamps are anomalies.

        Args:
            X: one series or a list of series.
            y: ignored; present for API consistency.

        Returns:
            The fitted estimator.

        Raises:
            InputError: invalid parameters, a series shorter than a window, values that are not
                finite numbers, too few timestamps for ``contamination="held_out"``.
            DivergenceError: the loss became NaN or infinite.
        """
        self._check_parameters()
        self.seed_ = seed_of(self.random_state)
        series = [
            (self._taken(each, where, reset=number == 0), None)
            for number, (each, where) in enumerate(self._prepared_series(X, reset=True))
        ]
        return self._fit(series, in_memory=True)

    def _check_parameters(self):
        super()._check_parameters()
        check_positive(window=self.window, stride=self.stride)
        if self.stride > self.window:
            raise InputError(
                f"Expected a stride of at most the window, {self.window}, so that windows cover "
                f"all timestamps. Received: {self.stride}."
            )

    @property
    def _network_shape(self) -> tuple[int, ...]:
        return (self.window, *self.sample_shape_)

    def _take(self, x: Any, y: Any, reset: bool) -> tuple[np.ndarray, None]:
        return self._taken(x, "", reset), None

    def _taken(self, x: Any, where: str, reset: bool) -> np.ndarray:
        """Return a validated series, not yet scaled; ``where`` says which one in messages."""
        try:
            series = take(self, x, reset)
        except InputError as error:
            raise InputError(f"{where}{error}") from error
        if len(series) < self.window:
            raise InputError(
                f"{where}Expected series of at least {self.window} timestamps, the window. "
                f"Received: {len(series)}."
            )
        return series

    def _fit(self, chunks, in_memory):
        self._begin(chunks)
        count = sum(
            len(windows.starts(len(part), self.window, self.stride))
            for part in self._training_parts(chunks)
        )
        epochs = epochs_for(self.epochs, count, self.batch_size, self._min_epochs)
        self._train(chunks, epochs, learning_rates(self, epochs), in_memory)
        self._finish(chunks)
        return self

    def _checked_series(self, x: Any) -> list[np.ndarray]:
        """Return validated and scaled series; the estimator must be fitted."""
        check_is_fitted(self)
        prepared = self._prepared_series(x, reset=False)
        return [self._scaled(self._taken(each, where, False)) for each, where in prepared]

    def _prepared_series(self, x: Any, reset: bool) -> list[tuple[Any, str]]:
        """Return pairs of a series of numbers and the beginning of messages about it."""
        return series_of(x)

    def _begin(self, chunks):
        # Held-out timestamps must not influence the scaling.
        super()._begin(Chunks(lambda: ((part, None) for part in self._training_parts(chunks))))

    def _build(self):
        shape = self._network_shape
        if not isinstance(self.model, str):
            return build(self.model, shape, 0, "auto", "auto", self.seed_, self._is_bounded())
        if self.model not in _HIDDEN:
            raise InputError(
                f"Expected model to be one of {', '.join(_HIDDEN)}, or a Keras model. "
                f"Received: {self.model!r}."
            )
        hidden = _HIDDEN[self.model] if self.hidden == "auto" else tuple(self.hidden)
        if not hidden and self.model != "deep":
            raise InputError(
                f"Expected hidden to have at least one layer for the model {self.model!r}. "
                "Received: none."
            )
        if self.model == "deep":
            parts = dense_parts(shape, hidden, self._latent_dim(), None, self.seed_, None)
        else:
            make = {"conv": conv_sequence_parts, "lstm": lstm_parts}[self.model]
            parts = make(shape, hidden, self._latent_dim(), self.seed_)
        return models.Autoencoder(*parts, seed=self.seed_)

    def _latent_dim(self):
        if self.latent_dim == "auto":
            values = self.window * self.n_features_in_
            return int(np.clip(values // _VALUES_PER_CODE, *_LATENT_DIMS))
        return self.latent_dim

    def _train(self, chunks, epochs, rate, in_memory):
        groups = [list(enumerate(chunks))] if in_memory else None

        def prepared() -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for group in groups or ([each] for each in enumerate(chunks)):
                for batch in self._windows(group):
                    yield batch, batch

        if groups and self._windows(groups[0]).count == 1:
            ((inputs, targets),) = prepared()
            losses, _ = train_whole(self, inputs, targets, epochs, rate)
        else:
            check_no_checkpoint(self, f"windows of more than {MAX_TRAINING_BYTES >> 20} MiB")
            losses, _ = train_chunks(self, Chunks(prepared), epochs, rate, begin=self.n_iter_)
        self.loss_curve_ = self.loss_curve_ + losses
        self.n_iter_ += len(losses)

    def _windows(self, group: Iterable[tuple[int, tuple]]) -> windows.Parts:
        """Return the scaled windows for training of (number, (series, None)) pairs."""
        parts = [
            self._scaled(series[rows])
            for number, (series, _) in group
            for rows in self._split(number, series).train
        ]
        return windows.Parts(parts, self.window, self.stride, MAX_TRAINING_BYTES)

    def _training_parts(self, chunks: Iterable[tuple]) -> Iterator[np.ndarray]:
        for number, (series, _) in enumerate(chunks):
            for rows in self._split(number, series).train:
                yield series[rows]

    def _split(self, number: int, series: np.ndarray) -> windows.Split:
        return self._split_of(number, len(series))

    def _split_of(self, number: int, timestamps: int) -> windows.Split:
        fraction = self.validation_fraction
        return windows.split(self.seed_, number, timestamps, self.window, fraction)


def is_list(x: Any) -> bool:
    """Return whether ``x`` is a list of series or an array (series, timestamps, sensors)."""
    if isinstance(x, list | tuple):
        return len(x) > 0 and len(getattr(x[0], "shape", np.shape(x[0]))) == 2
    return getattr(x, "ndim", 2) == 3


def series_of(x: Any) -> list[tuple[Any, str]]:
    """Return pairs of a series and the beginning of messages about it."""
    if is_list(x):
        return [(each, f"In the series {number}: ") for number, each in enumerate(x)]
    return [(x, "")]
