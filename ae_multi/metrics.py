"""Metrics of reconstructions and masks."""

import numpy as np


def squared_errors(x: np.ndarray, reconstructions: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each sample: float64 of shape (n,).

    Args:
        x: samples of shape (n, ...).
        reconstructions: array of the same shape.
    """
    errors = np.empty(len(x))
    for begin in range(0, len(x), 4096):  # batches limit the size of the float64 copies
        batch = slice(begin, begin + 4096)
        difference = reconstructions[batch].astype(np.float64) - x[batch]
        errors[batch] = np.mean(difference.reshape(len(difference), -1) ** 2, axis=1)
    return errors


def psnr(errors: np.ndarray) -> float:
    """Return the mean peak signal-to-noise ratio in dB, for values in [0, 1].

    It is 10 log10(1 / MSE) of each sample, at most 100 dB, so that a perfect sample is finite.

    Args:
        errors: mean squared error of each sample.
    """
    return float(np.mean(-10 * np.log10(np.maximum(errors, 1e-10))))


def iou(predicted: np.ndarray, masks: np.ndarray) -> float:
    """Return the intersection over union of the foreground, over all pixels of all images.

    It is 1 if neither mask has foreground.

    Args:
        predicted: predicted masks, booleans.
        masks: true masks, booleans of the same shape.
    """
    union = np.logical_or(predicted, masks).sum()
    return float(np.logical_and(predicted, masks).sum() / union) if union else 1.0
