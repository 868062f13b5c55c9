"""How far samples are off, summed in float64."""

import numpy as np

from ae_multi.estimators.neighbors import squared_differences


def squared_errors(scaled, outputs):
    r"""(x - x̂)² of each value: float32 of shape (n, \*sample shape)."""
    return np.square(scaled - outputs)


def negative_mse(scaled, outputs):
    """-mean (x - x̂)² of each sample: float64 of shape (n,), the larger the more normal."""
    return -mean(squared_errors(scaled, outputs))


def manifold_errors(scaled, outputs, known, neighbors, weight=1.0):
    r"""(x - x̂)² + w meanₖ (x̂ - x̂ₖ)² of each value: the way to the manifold, and along it.

    Args:
        scaled: samples x, float32 of shape (n, \*sample shape).
        outputs: their reconstructions x̂.
        known: reconstructions of training samples, of which the x̂ₖ are nearest to x̂.
        neighbors: how many are nearest.
        weight: w, what the way along the manifold weighs.

    Returns:
        float32 of shape (n, \*sample shape). Images, of which the shape tells, are compared by
        their angles, as if all had a mean square of 1: in a thin or a dark one everything is
        smaller, errors too.
    """
    rows = [as_rows(values) for values in (scaled, outputs, known)]
    along = squared_differences(*rows[1:], neighbors)
    errors = squared_errors(*rows[:2]) + np.float32(weight) * along
    return errors.reshape(scaled.shape)


def mean(errors):
    r"""The mean of each sample's ``errors``, (n, \*sample shape): float64 of shape (n,)."""
    return errors.reshape(len(errors), -1).mean(axis=1, dtype=np.float64)


def as_rows(values):
    """(n, values), images each divided by the root of its mean square."""
    rows = values.reshape(len(values), -1)
    if values.ndim == 2:
        return rows
    size = np.sqrt(np.square(rows).mean(axis=1, keepdims=True))
    return rows / np.maximum(size, np.finfo(np.float32).tiny)
