"""Metrics of reconstructions and masks."""

import numpy as np


def squared_errors(x, reconstructions):
    """Mean squared error of each sample: float64 of shape (n,).

    Args:
        x: samples, any shape (n, ...).
        reconstructions: of the same shape.
    """
    errors = np.empty(len(x))
    for begin in range(0, len(x), 4096):  # in pieces, since the float64 copies are large
        part = slice(begin, begin + 4096)
        difference = reconstructions[part].astype(np.float64) - x[part]
        errors[part] = np.mean(difference.reshape(len(difference), -1) ** 2, axis=1)
    return errors


def psnr(errors):
    """Peak signal-to-noise ratio in dB, averaged over samples, for values in [0, 1].

    10 log10(1 / MSE) of each sample; a perfect one counts as 100 dB rather than infinite.

    Args:
        errors: each sample's mean squared error.
    """
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def iou(predicted, masks):
    """Intersection over union of the figure over all pixels of all images; 1 without any."""
    either = np.logical_or(predicted, masks).sum()
    return float(np.logical_and(predicted, masks).sum() / either) if either else 1.0
