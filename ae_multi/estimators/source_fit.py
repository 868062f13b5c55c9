"""Fit of an estimator to a source, whose samples are read in windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi.data.source import Source
from ae_multi.errors import InputError
from ae_multi.estimators.chunks import Chunks
from ae_multi.estimators.fitting import epochs_for, learning_rates, train_whole

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator

# Bytes of samples that are checked at once, as float64.
_CHECKED_BYTES = 2**26


def fit_source(estimator: NetworkEstimator, source: Source, y: Any) -> None:
    """Fit an estimator with a ``seed_`` to a source.

    The scaling is fitted in one pass. The network is trained on the order of an array in memory.

    Args:
        estimator: the estimator.
        source: the samples.
        y: targets, which must be None.

    Raises:
        InputError: targets, or parameters that hold samples out or prepare columns.
    """
    unsupported = {
        "y": y is not None,
        "early_stopping": estimator.early_stopping,
        "contamination='held_out'": getattr(estimator, "contamination", None) == "held_out",
        "preprocessor": getattr(estimator, "preprocessor", None) is not None,
    }
    received = [name for name, is_given in unsupported.items() if is_given]
    if received:
        raise InputError(
            f"Expected fit to a source without {', '.join(unsupported)}. "
            f"Received: {received[0]}. Use fit_chunks for samples in pieces, or an array."
        )
    _taken(estimator, source, slice(0, 2), reset=True)
    size = max(1, _CHECKED_BYTES // (8 * max(1, estimator.n_features_in_)))

    def chunks() -> Iterator[tuple[np.ndarray, None]]:
        for begin in range(0, len(source), size):
            yield _taken(estimator, source, slice(begin, begin + size), reset=False), None

    estimator._begin(Chunks(chunks))
    epochs = epochs_for(
        estimator.epochs, estimator.n_samples_seen_, estimator.batch_size, estimator._min_epochs
    )

    def prepared(x: np.ndarray) -> np.ndarray:
        inputs, _ = estimator._prepared(*estimator._take(x, None, reset=False))
        return inputs

    inputs: Any = source.map(prepared)
    losses, _ = train_whole(estimator, inputs, inputs, epochs, learning_rates(estimator, epochs))
    estimator.loss_curve_, estimator.n_iter_ = losses, len(losses)
    estimator._finish(Chunks(chunks))


def _taken(estimator: NetworkEstimator, source: Source, rows: slice, *, reset: bool) -> np.ndarray:
    """Return rows of a source as the estimator takes them; see `ae_multi.estimators.inputs.take`.

    Raises:
        InputError: samples that the estimator refuses; the message names the first that is not
            finite.
    """
    samples = source[rows]
    try:
        return estimator._take(samples, None, reset=reset)[0]
    except ValueError as error:
        is_finite = np.isfinite(samples.reshape(len(samples), -1)).all(axis=1)
        if not is_finite.all():
            bad = int(np.argmin(is_finite))
            index = tuple(np.argwhere(~np.isfinite(samples[bad]))[0].tolist())
            raise InputError(
                f"Expected finite numbers in {source.name}. Received: {samples[bad][index]} "
                f"in {source.place(rows.start + bad)}, at the index {list(index)} of the sample."
            ) from error
        if rows.start == 0:
            raise
        raise InputError(
            f"{error} The first of these samples is {source.place(rows.start)}."
        ) from error
