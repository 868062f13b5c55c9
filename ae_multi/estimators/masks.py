"""Masks of images: validation, class indices and intersection over union."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.errors import InputError


def as_masks(y: ArrayLike, samples: int, image_shape: Sequence[int]) -> np.ndarray:
    """Return masks as an array of booleans or integers.

    Args:
        y: masks of shape (n, height, width), (n, height, width, 1) or (n, height * width).
        samples: number of images.
        image_shape: (height, width) or (height, width, channels) of an image.

    Returns:
        Array of shape (n, height, width).

    Raises:
        InputError: a number or size of masks that differs from the images, or values that are
            neither booleans nor integers.
    """
    masks, size = np.asarray(y), tuple(image_shape[:2])
    if masks.dtype.kind == "f" and np.isfinite(masks).all() and (masks == np.rint(masks)).all():
        masks = masks.astype(np.int64)
    if masks.dtype.kind not in "biu":
        raise InputError(
            "Expected masks of booleans or integers, the class of each pixel. "
            f"Received: values of {masks.dtype}, not all whole numbers."
        )
    if masks.shape[1:] not in (size, (*size, 1), (size[0] * size[1],)):
        raise InputError(
            f"Expected masks of shape (n, {size[0]}, {size[1]}), the size of their images. "
            f"Received: shape {masks.shape}.{_channels_hint(masks.shape[1:], image_shape)}"
        )
    if len(masks) != samples:
        raise InputError(
            f"Expected a mask for each of the {samples} images. Received: {len(masks)} masks."
        )
    return masks.reshape(len(masks), *size)


def _channels_hint(size: Sequence[int], image_shape: Sequence[int]) -> str:
    if len(image_shape) == 3 and size[:2] == tuple(image_shape[1:]):
        return " The images have their channels first; move them: np.moveaxis(X, 1, -1)."
    return ""


def as_places(masks: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the index of each pixel's class in the sorted ``classes``: int32, shape of masks.

    Raises:
        InputError: masks with other classes.
    """
    places = np.searchsorted(classes, masks).clip(0, len(classes) - 1)
    if not np.array_equal(classes[places], masks):
        unknown = np.setdiff1d(masks, classes)
        raise InputError(
            f"Expected masks of the classes {classes.tolist()}, as in the first call. "
            f"Received: {unknown.tolist()} too."
        )
    return places.astype(np.int32)


def mean_iou(predicted: np.ndarray, masks: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean intersection over union of all classes except the first.

    Pixels of all images count together. Jaccard, "The distribution of the flora in the alpine
    zone", 1912. A class that is in neither array is skipped; the mean is 1 if all are skipped.

    Args:
        predicted: predicted class of each pixel.
        masks: true class of each pixel, of the same shape.
        classes: all classes, in order.
    """
    ious = []
    for each in classes[1:]:
        union = np.logical_or(predicted == each, masks == each).sum()
        if union:
            ious.append(np.logical_and(predicted == each, masks == each).sum() / union)
    return float(np.mean(ious)) if ious else 1.0
