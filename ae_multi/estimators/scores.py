"""Errors of reconstructions and anomaly scores; means are computed in float64."""

import numpy as np

from ae_multi.estimators.neighbors import squared_differences


def squared_errors(scaled: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    r"""Return (x - x̂)² of each value: float32 of shape (n, \*sample shape)."""
    return np.square(scaled - outputs)


def negative_mse(scaled: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Return -mean (x - x̂)² of each sample: float64 of shape (n,)."""
    return -mean(squared_errors(scaled, outputs))


def manifold_errors(
    scaled: np.ndarray,
    outputs: np.ndarray,
    known: np.ndarray,
    neighbors: int,
    weight: float = 1.0,
) -> np.ndarray:
    r"""Return (x - x̂)² + w meanₖ (x̂ - x̂ₖ)² of each value.

    The terms are the squared distances to the learned manifold and along it. Images (samples of
    more than one dimension) are normalized to a mean square of 1, so that angles are compared: in
    a thin or dark image all values are smaller, errors too.

    Args:
        scaled: samples x, float32 of shape (n, \*sample shape).
        outputs: their reconstructions x̂.
        known: reconstructions of training samples; the x̂ₖ are those nearest to x̂.
        neighbors: number of x̂ₖ.
        weight: w, the weight of the second term.

    Returns:
        float32 of shape (n, \*sample shape).
    """
    rows = [as_rows(values) for values in (scaled, outputs, known)]
    along = squared_differences(rows[1], rows[2], neighbors)
    errors = squared_errors(rows[0], rows[1]) + np.float32(weight) * along
    return errors.reshape(scaled.shape)


def mean(errors: np.ndarray) -> np.ndarray:
    r"""Return the mean of ``errors`` (n, \*sample shape) of each sample: float64 (n,)."""
    return errors.reshape(len(errors), -1).mean(axis=1, dtype=np.float64)


def as_rows(values: np.ndarray) -> np.ndarray:
    """Return samples as (n, values), each image divided by its root mean square."""
    rows = values.reshape(len(values), -1)
    if values.ndim == 2:
        return rows
    size = np.sqrt(np.square(rows).mean(axis=1, keepdims=True))
    return rows / np.maximum(size, np.finfo(np.float32).tiny)
