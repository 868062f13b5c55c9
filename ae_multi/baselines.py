"""Baselines: PCA, the mean of the training data, a linear filter, and thresholds."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.data.checks import check_array
from ae_multi.errors import InputError
from ae_multi.metrics import iou, squared_errors

if TYPE_CHECKING:
    from sklearn.decomposition import PCA

    from ae_multi.data import Dataset

# scikit-learn and SciPy are imported in the functions that use them, so that the worker processes
# of a comparison start faster.

# With more features PCA uses a randomized solver: the exact one computes the covariance matrix.
_MAX_EXACT_FEATURES = 2048
# Candidates of the linear filter, for values in [0, 1].
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class BaselineComparison:
    """Mean squared errors on the same test samples; `str` returns a table.

    Attributes:
        model: class name of the model.
        components: size of the code of the model, and number of principal components.
        model_mse: test MSE of the model.
        pca_mse: test MSE of PCA with this number of components.
        mean_mse: test MSE of the mean of the training samples as prediction.
    """

    model: str
    components: int
    model_mse: float
    pca_mse: float
    mean_mse: float

    @property
    def is_better(self) -> bool:
        """Whether the error of the model is below that of both baselines."""
        return self.model_mse < min(self.pca_mse, self.mean_mse)

    def __str__(self) -> str:
        rows = {
            self.model: self.model_mse,
            f"PCA-{self.components}": self.pca_mse,
            "mean of the training data": self.mean_mse,
        }
        width = max(map(len, rows))
        return "\n".join(
            [f"{'':{width}}  test MSE", *(f"{name:{width}}  {e:8.5f}" for name, e in rows.items())]
        )


def compare_with_pca(model: Any, x_train: ArrayLike, x_test: ArrayLike) -> BaselineComparison:
    """Compare the reconstruction error of a model with PCA and with the mean of the data.

    Emits a ``UserWarning`` if the model is not better than both, since a linear model or a constant
    is then as good.

    Args:
        model: an `Autoencoder`, or a fitted estimator with ``transform`` and ``reconstruct``.
        x_train: training samples of the model, shape (n, ...).
        x_test: test samples of the same shape.

    Returns:
        A `BaselineComparison`. PCA has as many components as the code of the model has values; its
        reconstructions are clipped to [0, 1] if all training samples are within [0, 1].

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
    # The original x_test: an estimator fitted to a data frame expects its column names.
    restored = np.asarray(model.reconstruct(x_test))
    components = int(np.prod(np.shape(encode(x_test[:1]))[1:]))  # type: ignore[index]
    clip = train.min() >= 0 and train.max() <= 1
    comparison = BaselineComparison(
        model=name,
        components=components,
        model_mse=float(np.mean(squared_errors(test, restored))),
        pca_mse=pca_errors(train, test, [components], clip)[components],
        mean_mse=mean_error(train, test),
    )
    if not comparison.is_better:
        is_pca_best = comparison.pca_mse <= comparison.mean_mse
        baseline = f"PCA-{components}" if is_pca_best else "the mean of the training data"
        warnings.warn(
            f"{name} has a test MSE of {comparison.model_mse:.5f}, which is not better than "
            f"{min(comparison.pca_mse, comparison.mean_mse):.5f} of {baseline}. "
            "Train it for more epochs, or with another learning rate.",
            stacklevel=2,
        )
    return comparison


def mean_baseline(data: Dataset) -> float:
    """Return the test MSE of the mean training image as prediction for every image.

    An autoencoder with this error has collapsed: its code does not depend on its input.
    """
    return mean_error(data.x_train, data.x_test)


def pca_baselines(data: Dataset, components: Sequence[int]) -> dict[int, float]:
    """Return the test MSE of principal component analysis, the optimal linear autoencoder.

    Reconstructions are clipped to [0, 1], the range of a sigmoid.

    Args:
        data: a `Dataset`.
        components: numbers of components.

    Returns:
        Dict from number of components to test MSE. A number above min(images, pixels) counts as
        that.
    """
    return pca_errors(data.x_train, data.x_test, components, clip=True)


def mean_error(x_train: np.ndarray, x_test: np.ndarray) -> float:
    """Return the MSE on ``x_test`` of the mean of ``x_train``; arrays of shape (n, ...)."""
    mean = x_train.mean(axis=0, dtype=np.float64)
    return float(np.mean((x_test - mean) ** 2))


def pca_errors(
    x_train: np.ndarray, x_test: np.ndarray, components: Sequence[int], clip: bool
) -> dict[int, float]:
    """Return the MSE on ``x_test`` of PCA fitted to ``x_train``, arrays of shape (n, ...).

    Args:
        x_train: samples to fit to.
        x_test: samples to reconstruct.
        components: numbers of components.
        clip: whether to clip reconstructions to [0, 1].

    Returns:
        Dict from number of components to MSE. A number above min(n, values) counts as that.
    """
    exact = flat(x_train).shape[1] <= _MAX_EXACT_FEATURES
    solver = "covariance_eigh" if exact else "randomized"
    pca = fit_pca(x_train, max(components), solver)
    test = flat(x_test)
    codes = pca.transform(test)
    errors = {}
    for count in sorted(set(components)):
        # The leading components do not depend on the number of components: one fit serves all.
        restored = codes[:, :count] @ pca.components_[:count] + pca.mean_
        if clip:
            restored = np.clip(restored, 0, 1)
        errors[count] = float(np.mean((restored - test) ** 2, dtype=np.float64))
    return errors


def flat(x: np.ndarray) -> np.ndarray:
    """Return samples of shape (n, ...) as rows of shape (n, values)."""
    return x.reshape(len(x), -1)


def fit_pca(train: np.ndarray, components: int, solver: str = "covariance_eigh") -> PCA:
    """Fit scikit-learn's PCA to samples of shape (n, ...).

    Args:
        train: samples.
        components: number of components, reduced to min(n, values).
        solver: ``svd_solver`` of `sklearn.decomposition.PCA`.
    """
    from sklearn.decomposition import PCA

    train = flat(train)
    components = min(components, *train.shape)
    return PCA(components, svd_solver=solver, random_state=0).fit(train)


def reconstruct_with_pca(fitted: PCA, x: np.ndarray) -> np.ndarray:
    """Return the projection of samples onto the principal components, in the shape of ``x``."""
    return fitted.inverse_transform(fitted.transform(flat(x))).reshape(x.shape)


class LinearFilter:
    """Linear map from noisy to clean samples with the smallest mean squared error.

    This is the Wiener filter for general data: x̂ = m_x + C_xy (C_yy + λ I)⁻¹ (y - m_y), with the
    means and covariances of the training samples. The penalty λ prevents overfitting to their
    noise. By default it is the candidate with the smallest error on the last fifth of the training
    samples, after a fit to the others.

    Args:
        noisy: noisy training samples y, shape (n, ...).
        clean: the corresponding clean samples x, of the same shape.
        penalty: λ, or None to select it.
    """

    def __init__(self, noisy: np.ndarray, clean: np.ndarray, penalty: float | None = None) -> None:
        y, x = flat(noisy).astype(np.float64), flat(clean).astype(np.float64)
        if penalty is None:
            cut = max(1, len(y) * 4 // 5)
            penalty = min(_PENALTIES, key=lambda each: _validation_error(y, x, cut, each))
        self.penalty = penalty
        self._ridge = _fit_ridge(y, x, penalty)

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Return denoised samples in the shape of ``noisy``, clipped to [0, 1], float32."""
        restored = self._ridge.predict(flat(noisy).astype(np.float64))
        return np.clip(restored, 0, 1).astype(np.float32).reshape(noisy.shape)


def _fit_ridge(y: np.ndarray, x: np.ndarray, penalty: float) -> Any:
    from sklearn.linear_model import Ridge

    return Ridge(alpha=penalty * len(y), solver="cholesky").fit(y, x)


def _validation_error(y: np.ndarray, x: np.ndarray, cut: int, penalty: float) -> float:
    """Return the MSE on samples from ``cut`` on of the filter of those before."""
    if cut == len(y):
        return 0.0
    restored = _fit_ridge(y[:cut], x[:cut], penalty).predict(y[cut:])
    return float(np.mean((np.clip(restored, 0, 1) - x[cut:]) ** 2))


def otsu(values: np.ndarray) -> float:
    """Return the threshold with the largest variance between the two classes of values.

    Otsu, "A threshold selection method from gray-level histograms", IEEE TSMC 9 (1979),
    equation 14, on the values themselves instead of a histogram. Values above the threshold are
    foreground; if all values are equal, none is.
    """
    x = np.sort(values, axis=None).astype(np.float64)
    low = np.arange(1, len(x))
    high, sums = len(x) - low, np.cumsum(x)[:-1]
    between = low * high * (sums / low - (x.sum() - sums) / high) ** 2
    # Within a run of equal values the variance is a convex function of the position of the cut, so
    # the maximum is at an end of the run.
    index = int(np.argmax(between))
    return (x[index] + x[index + 1]) / 2


def best_threshold(images: np.ndarray, masks: np.ndarray) -> float:
    """Return the brightness threshold with the largest intersection over union with ``masks``.

    Args:
        images: values in [0, 1].
        masks: booleans of the same shape.
    """
    candidates = np.linspace(0, 1, 101)
    return max(candidates, key=lambda limit: iou(images > limit, masks))
