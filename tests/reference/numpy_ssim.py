"""Structural similarity in NumPy float64, pixel by pixel (Wang et al., 2004)."""

import numpy as np


def ssim(x, y, value_range=1.0, size=11, sigma=1.5):
    """Return the mean SSIM of two images (h, w)."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    high, wide = min(size, x.shape[0]), min(size, x.shape[1])
    rows, columns = np.mgrid[:high, :wide]
    squares = (rows - (high - 1) / 2) ** 2 + (columns - (wide - 1) / 2) ** 2
    window = np.exp(-squares / (2 * sigma**2))
    window /= window.sum()
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    found = []
    for i in range(x.shape[0] - high + 1):
        for j in range(x.shape[1] - wide + 1):
            a, b = x[i : i + high, j : j + wide], y[i : i + high, j : j + wide]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            variance_a = (window * (a - mean_a) ** 2).sum()
            variance_b = (window * (b - mean_b) ** 2).sum()
            covariance = (window * (a - mean_a) * (b - mean_b)).sum()
            luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
            structure = (2 * covariance + c2) / (variance_a + variance_b + c2)
            found.append(luminance * structure)
    return np.mean(found)
