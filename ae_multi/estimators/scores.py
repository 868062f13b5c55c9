"""How far reconstructions are off, summed in float64."""

import numpy as np


def squared_errors(scaled, outputs):
    r"""(x - x̂)² of each value: float32 of shape (n, \*sample shape)."""
    return np.square(scaled - outputs)


def negative_mse(scaled, outputs):
    """-mean (x - x̂)² of each sample: float64 of shape (n,), the larger the more normal."""
    errors = squared_errors(scaled, outputs).reshape(len(scaled), -1)
    return -errors.mean(axis=1, dtype=np.float64)
