"""Losses that Keras lacks: structural similarity, and the cross-entropy of maps of classes.

The others are Keras's, by name: "mse", "mae", "binary_crossentropy", "huber".
"""

import operator

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError

ops = keras.ops


@keras.saving.register_keras_serializable("ae_multi")
class StructuralSimilarity(keras.losses.Loss):
    """1 - SSIM of images: 0 where they are the same, about 1 where nothing is alike, at most 2.

    Wang, Bovik, Sheikh & Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE TIP 13 (2004), equation 13, with means μ, variances σ² and
    covariance under a Gaussian window that moves over both images x and y:

        SSIM = (2 μ_x μ_y + C1)(2 σ_xy + C2) / ((μ_x² + μ_y² + C1)(σ_x² + σ_y² + C2)),

    C1 = (0.01 L)², C2 = (0.03 L)², averaged over the places where the window fits and over
    channels. Loaded with a model that was compiled with it.

    Args:
        value_range: L, the distance from the lowest to the highest value of an image; above 0.
        size: side of the window in pixels; where an image is smaller, the window is as well.
        sigma: standard deviation of the window in pixels; above 0.

    Call arguments:
        y_true: images (n, h, w) or (n, h, w, channels).
        y_pred: images of the same shape.

    Raises:
        InputError: what is no image, or arguments out of range.

    Example:
        >>> model.compile(loss=StructuralSimilarity())
    """

    def __init__(self, value_range=1.0, size=11, sigma=1.5, name="structural_similarity", **kwargs):
        super().__init__(name=name, **kwargs)
        self.value_range = _above_zero("value_range", value_range)
        self.size = int(_above_zero("size", size, operator.index))
        self.sigma = _above_zero("sigma", sigma)

    def call(self, y_true, y_pred):
        """1 - SSIM of each image, with an axis of 1 for each but the last: (n, 1, 1)."""
        found = ssim(y_true, y_pred, self.value_range, self.size, self.sigma)
        # As many axes as Keras's own losses keep, so that weights of samples meet their samples.
        return ops.reshape(1 - found, (-1, *[1] * (len(y_pred.shape) - 2)))

    def get_config(self):
        """The arguments, for saving."""
        names = ("value_range", "size", "sigma")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("ae_multi")
class PixelCrossEntropy(keras.losses.Loss):
    """-log of the probability that each pixel is given for its class.

    What Keras's "sparse_categorical_crossentropy" is of vectors. That has no gradient for maps
    on PyTorch (Keras 3.15: "grad_input must be contiguous").

    Call arguments:
        y_true: the class of each pixel, (n, h, w, 1) or (n, h, w).
        y_pred: probabilities (n, h, w, classes).
    """

    def __init__(self, name="pixel_cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)

    def call(self, y_true, y_pred):
        """The loss of each pixel: (n, h, w)."""
        if len(y_true.shape) < len(y_pred.shape):
            y_true = ops.expand_dims(y_true, -1)
        classes = ops.arange(y_pred.shape[-1], dtype="int32")
        chosen = ops.equal(ops.cast(y_true, "int32"), classes)  # (n, h, w, classes)
        return ops.categorical_crossentropy(ops.cast(chosen, y_pred.dtype), y_pred)


def ssim(y_true, y_pred, value_range=1.0, size=11, sigma=1.5):
    """Mean structural similarity of each pair of images: tensor of shape (n,), at most 1.

    Args:
        y_true: images (n, h, w) or (n, h, w, channels).
        y_pred: images of the same shape.
        value_range: the distance from the lowest to the highest value of an image.
        size: side of the window in pixels, at most; see `StructuralSimilarity`.
        sigma: standard deviation of the window in pixels.
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
    # The window is a product of one down and one across; each is a matrix with a row for each
    # place, so that moving it over an image is two products on every backend.
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


def _windows(side, size, sigma):
    """The window at each of its places along ``side`` pixels: (side - size + 1, side)."""
    offsets = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    matrix = np.zeros((side - size + 1, side), np.float32)
    for place, row in enumerate(matrix):
        row[place : place + size] = weights / weights.sum()
    return matrix


def _above_zero(name, value, convert=float):
    try:
        number = convert(value)
    except (TypeError, ValueError):
        number = 0
    if not 0 < number < float("inf"):
        kind = "a number" if convert is float else "an integer"
        raise InputError(f"Expected {name} to be {kind} above 0. Received: {value!r}.")
    return number
