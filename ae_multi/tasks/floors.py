"""What is known without an autoencoder: PCA, the best linear filter, thresholds."""

import numpy as np
from scipy import linalg
from sklearn.decomposition import PCA

# Penalties that the linear filter chooses from, for values in [0, 1].
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


def flat(x):
    """Samples as rows."""
    return x.reshape(len(x), -1)


def pca(train, components):
    """Principal components of rows; as many as there can be, at most ``components``."""
    train = flat(train)
    return PCA(min(components, *train.shape), svd_solver="covariance_eigh").fit(train)


def pca_restored(fitted, x):
    """What is left of samples when only the principal components are kept, in x's shape."""
    return fitted.inverse_transform(fitted.transform(flat(x))).reshape(x.shape)


class LinearFilter:
    """The linear map from noisy samples to clean ones with the least mean squared error.

    The Wiener filter of any data: x̂ = m_x + C_xy (C_yy + λ I)⁻¹ (y - m_y), with means and
    covariances of the training samples. λ, which keeps the map from learning their noise, is the
    one of a few that does best on the last fifth of them, after learning from the others.

    Args:
        noisy: training samples y, shape (n, ...).
        clean: their clean counterparts x, of the same shape.
        penalty: λ, or None to choose it as said.
    """

    def __init__(self, noisy, clean, penalty=None):
        y, x = flat(noisy).astype(np.float64), flat(clean).astype(np.float64)
        if penalty is None:
            cut = max(1, len(y) * 4 // 5)
            penalty = min(_PENALTIES, key=lambda each: self._try(y, x, cut, each))
        self.penalty = penalty
        self._learn(y, x, penalty)

    def __call__(self, noisy):
        """Clean samples for noisy ones, in their shape, clipped to [0, 1]."""
        restored = self._clean + (flat(noisy) - self._noisy) @ self._map
        return np.clip(restored, 0, 1).astype(np.float32).reshape(noisy.shape)

    def _learn(self, y, x, penalty):
        self._noisy, self._clean = y.mean(axis=0), x.mean(axis=0)
        y, x = y - self._noisy, x - self._clean
        spread = y.T @ y + penalty * len(y) * np.eye(y.shape[1])
        self._map = linalg.solve(spread, y.T @ x, assume_a="pos")

    def _try(self, y, x, cut, penalty):
        self._learn(y[:cut], x[:cut], penalty)
        return np.mean((self(y[cut:]) - x[cut:]) ** 2) if cut < len(y) else 0.0


def otsu(values):
    """The threshold that parts values into two classes with the most variance between them.

    Otsu, "A threshold selection method from gray-level histograms", IEEE TSMC 9 (1979),
    equation 14, on the values themselves instead of a histogram. Those above it are figure; of
    values that are all the same none is.
    """
    x = np.sort(values, axis=None).astype(np.float64)
    low = np.arange(1, len(x))
    high, sums = len(x) - low, np.cumsum(x)[:-1]
    between = low * high * (sums / low - (x.sum() - sums) / high) ** 2
    # Among equal values it is convex in where they are cut, so the largest is not within them.
    place = int(np.argmax(between))
    return (x[place] + x[place + 1]) / 2


def best_threshold(images, masks):
    """The one threshold on brightness whose intersection over union with ``masks`` is largest."""
    choices = np.linspace(0, 1, 101)
    return max(choices, key=lambda limit: iou(images > limit, masks))


def iou(predicted, masks):
    """Intersection over union of the figure over all pixels of all images; 1 without any."""
    either = np.logical_or(predicted, masks).sum()
    return float(np.logical_and(predicted, masks).sum() / either) if either else 1.0
