"""Baselines: PCA, the mean of the training data, a linear filter, and thresholds."""

import warnings
from dataclasses import dataclass

import numpy as np

from ae_multi.data.checks import check_array
from ae_multi.errors import InputError
from ae_multi.metrics import iou, squared_errors

# scikit-learn and SciPy are imported where they are used: the processes of a comparison start
# sooner without them.

# Components of more features than these come from a randomized solver: the exact one takes the
# covariance of all pairs of features.
_MAX_EXACT_FEATURES = 2048
# Penalties that the linear filter chooses from, for values in [0, 1].
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class BaselineComparison:
    """Mean squared errors on the same test samples. Printed, it is a table.

    Attributes:
        model: class name of the model.
        components: size of the model's code, and the number of principal components.
        model_mse: test MSE of the model.
        pca_mse: test MSE of PCA with as many components.
        mean_mse: test MSE of predicting the mean of the training samples.
    """

    model: str
    components: int
    model_mse: float
    pca_mse: float
    mean_mse: float

    @property
    def is_better(self):
        """Whether the model's error is below that of both baselines."""
        return self.model_mse < min(self.pca_mse, self.mean_mse)

    def __str__(self):
        rows = {
            self.model: self.model_mse,
            f"PCA-{self.components}": self.pca_mse,
            "mean of the training data": self.mean_mse,
        }
        width = max(map(len, rows))
        return "\n".join(
            [f"{'':{width}}  test MSE", *(f"{name:{width}}  {e:8.5f}" for name, e in rows.items())]
        )


def compare_with_pca(model, x_train, x_test):
    """Compare a model's reconstructions with PCA's of as many components and with the mean.

    Warns with a ``UserWarning`` if the model is not better than both: then a linear model, or a
    constant, does the same job.

    Args:
        model: an `Autoencoder`, or a fitted estimator that has ``transform`` and ``reconstruct``.
        x_train: the samples that the model was trained on, shape (n, ...).
        x_test: other samples of the same shape.

    Returns:
        A `BaselineComparison`. PCA's reconstructions are clipped to [0, 1] where all training
        samples lie within.

    Raises:
        InputError: a model without a code, or samples that are not finite numbers of one shape.
    """
    name = type(model).__name__
    encode = getattr(model, "encode", None) or getattr(model, "transform", None)
    if encode is None or not hasattr(model, "reconstruct"):
        raise InputError(
            "Expected a model with a code, an Autoencoder or an AutoencoderTransformer. "
            f"Received: {name}."
        )
    train = check_array(x_train, "x_train")
    test = check_array(x_test, "x_test", train.shape[1:])
    # The model gets what the caller has: an estimator of a data frame expects its column names.
    restored = np.asarray(model.reconstruct(x_test))
    components = int(np.prod(np.shape(encode(x_test[:1]))[1:]))
    clip = train.min() >= 0 and train.max() <= 1
    found = BaselineComparison(
        model=name,
        components=components,
        model_mse=float(np.mean(squared_errors(test, restored))),
        pca_mse=pca_errors(train, test, [components], clip)[components],
        mean_mse=mean_error(train, test),
    )
    if not found.is_better:
        pca = found.pca_mse <= found.mean_mse
        baseline = f"PCA-{components}" if pca else "the mean of the training data"
        warnings.warn(
            f"{name} has a test MSE of {found.model_mse:.5f}, which is not better than "
            f"{min(found.pca_mse, found.mean_mse):.5f} of {baseline}. "
            "Train it for more epochs, or with another learning rate.",
            stacklevel=2,
        )
    return found


def mean_baseline(data):
    """Test MSE of predicting the mean training image for every image.

    An autoencoder that ends here has collapsed: its code says nothing of its input.
    """
    return mean_error(data.x_train, data.x_test)


def pca_baselines(data, components):
    """Test MSE of principal component analysis, the best linear autoencoder.

    Reconstructions are clipped to [0, 1], as a sigmoid's are by nature.

    Args:
        data: a `Dataset`.
        components: the code sizes to measure, integers.

    Returns:
        Dict of code size to test MSE. More components than the data allow count as all.
    """
    return pca_errors(data.x_train, data.x_test, components, clip=True)


def mean_error(x_train, x_test):
    """MSE on ``x_test`` of predicting the mean of ``x_train``; arrays of shape (n, ...)."""
    mean = x_train.mean(axis=0, dtype=np.float64)
    return float(np.mean((x_test - mean) ** 2))


def pca_errors(x_train, x_test, components, clip):
    """MSE on ``x_test`` of PCA fitted to ``x_train``, arrays of shape (n, ...).

    Args:
        x_train: samples to fit to.
        x_test: samples to reconstruct.
        components: the numbers of components to measure, integers.
        clip: whether to clip reconstructions to [0, 1].

    Returns:
        Dict of number of components to MSE. More components than the data allow count as all.
    """
    exact = flat(x_train).shape[1] <= _MAX_EXACT_FEATURES
    solver = "covariance_eigh" if exact else "randomized"
    pca = fit_pca(x_train, max(components), solver)
    test = flat(x_test)
    codes = pca.transform(test)
    errors = {}
    for count in sorted(set(components)):
        # Leading components are the same however many are kept, so one fit serves all.
        restored = codes[:, :count] @ pca.components_[:count] + pca.mean_
        if clip:
            restored = np.clip(restored, 0, 1)
        errors[count] = float(np.mean((restored - test) ** 2, dtype=np.float64))
    return errors


def flat(x):
    """Samples as rows."""
    return x.reshape(len(x), -1)


def fit_pca(train, components, solver="covariance_eigh"):
    """Fit principal components to samples of shape (n, ...); at most as many as there can be."""
    from sklearn.decomposition import PCA

    train = flat(train)
    components = min(components, *train.shape)
    return PCA(components, svd_solver=solver, random_state=0).fit(train)


def reconstruct_with_pca(fitted, x):
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
            penalty = min(_PENALTIES, key=lambda each: self._error(y, x, cut, each))
        self.penalty = penalty
        self._ridge = _fit_ridge(y, x, penalty)

    def __call__(self, noisy):
        """Clean samples for noisy ones, in their shape, clipped to [0, 1]."""
        restored = self._ridge.predict(flat(noisy).astype(np.float64))
        return np.clip(restored, 0, 1).astype(np.float32).reshape(noisy.shape)

    @staticmethod
    def _error(y, x, cut, penalty):
        """MSE on the samples from ``cut`` on of the filter that the others give."""
        if cut == len(y):
            return 0.0
        restored = _fit_ridge(y[:cut], x[:cut], penalty).predict(y[cut:])
        return np.mean((np.clip(restored, 0, 1) - x[cut:]) ** 2)


def _fit_ridge(y, x, penalty):
    from sklearn.linear_model import Ridge

    return Ridge(alpha=penalty * len(y), solver="cholesky").fit(y, x)


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
