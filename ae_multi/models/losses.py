"""Losses that Keras lacks: structural similarity, and the cross-entropy of class maps.

Losses of Keras are used by name: "mse", "mae", "binary_crossentropy", "huber".
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

ops = keras.ops


@keras.saving.register_keras_serializable("ae_multi")
class StructuralSimilarity(keras.losses.Loss):
    """Loss 1 - SSIM of images: 0 for equal images, about 1 for unrelated ones, at most 2.

    Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 13 (2004), equation 13, with means μ, variances σ² and
    covariance under a Gaussian window that moves over both images x and y:

        SSIM = (2 μ_x μ_y + C1)(2 σ_xy + C2) / ((μ_x² + μ_y² + C1)(σ_x² + σ_y² + C2)),

    C1 = (0.01 L)², C2 = (0.03 L)², averaged over all positions of the window inside the image and
    over channels. A model that is compiled with this loss saves and loads it.

    Args:
        value_range: L, the distance from the lowest to the highest value of an image; above 0.
        size: side of the window in pixels; for smaller images, the side of the image.
        sigma: standard deviation of the window in pixels; above 0.

    Call arguments:
        y_true: images (n, h, w) or (n, h, w, channels).
        y_pred: images of the same shape.

    Raises:
        InputError: the inputs are not images of one shape, or an argument is out of range.

    Example:
        >>> model.compile(loss=StructuralSimilarity())
    """

    def __init__(
        self,
        value_range: float = 1.0,
        size: int = 11,
        sigma: float = 1.5,
        name: str = "structural_similarity",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.value_range = _above_zero("value_range", value_range)
        self.size = int(_above_zero("size", size, operator.index))
        self.sigma = _above_zero("sigma", sigma)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return 1 - SSIM of each image: a tensor (n, 1, 1) for images (n, h, w, channels)."""
        similarity = ssim(y_true, y_pred, self.value_range, self.size, self.sigma)
        # Keras's losses keep all axes but the last; sample weights broadcast against them.
        return ops.reshape(1 - similarity, (-1, *[1] * (len(y_pred.shape) - 2)))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        names = ("value_range", "size", "sigma")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("ae_multi")
class PixelCrossEntropy(keras.losses.Loss):
    """Sparse categorical cross-entropy of each pixel: -log p of its true class.

    Keras's "sparse_categorical_crossentropy" computes the same of vectors, but has no gradient for
    maps on PyTorch (Keras 3.15: "grad_input must be contiguous").

    Call arguments:
        y_true: the class of each pixel, (n, h, w, 1) or (n, h, w).
        y_pred: probabilities (n, h, w, classes).
    """

    def __init__(self, name: str = "pixel_cross_entropy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each pixel as a tensor (n, h, w)."""
        if len(y_true.shape) < len(y_pred.shape):
            y_true = ops.expand_dims(y_true, -1)
        classes = ops.arange(y_pred.shape[-1], dtype="int32")
        chosen = ops.equal(ops.cast(y_true, "int32"), classes)  # (n, h, w, classes)
        return ops.categorical_crossentropy(ops.cast(chosen, y_pred.dtype), y_pred)


def ssim(
    y_true: Any, y_pred: Any, value_range: float = 1.0, size: int = 11, sigma: float = 1.5
) -> Any:
    """Return the mean structural similarity of each pair of images.

    Args:
        y_true: images (n, h, w) or (n, h, w, channels).
        y_pred: images of the same shape.
        value_range: the distance from the lowest to the highest value of an image.
        size: largest side of the window in pixels; see `StructuralSimilarity`.
        sigma: standard deviation of the window in pixels.

    Returns:
        Tensor of shape (n,) with values of at most 1.

    Raises:
        InputError: the inputs are not images of one shape.
    """
    y_pred = ops.convert_to_tensor(y_pred)
    x, y = ops.cast(y_true, y_pred.dtype), y_pred
    if len(y.shape) not in (3, 4) or tuple(x.shape[1:]) != tuple(y.shape[1:]):
        raise InputError(
            "Expected images of one shape, (n, h, w) or (n, h, w, channels). "
            f"Received: {tuple(x.shape)} and {tuple(y.shape)}."
        )
    if len(y.shape) == 4:
        x, y = (ops.transpose(images, (0, 3, 1, 2)) for images in (x, y))  # (n, channels, h, w)
    # The window is separable. Each factor is a matrix with one row per position, so that moving
    # the window over an image takes two matrix products on every backend.
    down, across = (
        ops.convert_to_tensor(_windows(side, min(size, side), sigma), y.dtype)
        for side in y.shape[-2:]
    )

    def mean(images):
        return ops.matmul(ops.matmul(down, images), ops.transpose(across))

    mean_x, mean_y = mean(x), mean(y)
    variances = mean(x * x) - mean_x * mean_x + mean(y * y) - mean_y * mean_y
    covariance = mean(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    map_ = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    map_ = map_ / ((mean_x * mean_x + mean_y * mean_y + c1) * (variances + c2))
    return ops.mean(map_, axis=tuple(range(1, len(map_.shape))))


def _windows(side: int, size: int, sigma: float) -> np.ndarray:
    """Return the window at each position along ``side`` pixels: (side - size + 1, side)."""
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    matrix = np.zeros((side - size + 1, side), np.float32)
    for position, row in enumerate(matrix):
        row[position : position + size] = weights / weights.sum()
    return matrix


def _above_zero(name: str, value: Any, convert: Callable[[Any], float] = float) -> float:
    """Return the converted ``value``, or raise `InputError` unless it is above 0 and finite."""
    try:
        number = convert(value)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < float("inf"):
        kind = "a number" if convert is float else "an integer"
        raise InputError(f"Expected {name} to be {kind} above 0. Received: {value!r}.")
    return number
