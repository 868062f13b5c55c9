"""Masks as classes of pixels, and how well two of them agree."""

import numpy as np

from ae_multi.errors import InputError


def as_masks(y, samples, image_shape):
    """Masks as an array of booleans or integers, one for each image.

    Args:
        y: (n, height, width), the same with one channel, or rows of height x width pixels.
        samples: the number of images.
        image_shape: (height, width) or (height, width, channels) of an image.

    Returns:
        Array of shape (n, height, width).

    Raises:
        InputError: masks of another number or size, or of values that are no classes.
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


def _channels_hint(size, image_shape):
    if len(image_shape) == 3 and size[:2] == tuple(image_shape[1:]):
        return " The images have their channels first; move them: np.moveaxis(X, 1, -1)."
    return ""


def as_places(masks, classes):
    """The place of each pixel's class in the sorted array ``classes``: int32 of masks' shape."""
    places = np.searchsorted(classes, masks).clip(0, len(classes) - 1)
    if not np.array_equal(classes[places], masks):
        unknown = np.setdiff1d(masks, classes)
        raise InputError(
            f"Expected masks of the classes {classes.tolist()}, as at first. "
            f"Received: {unknown.tolist()} too."
        )
    return places.astype(np.int32)


def mean_iou(predicted, masks, classes):
    """Intersection over union of each class but the first, over all pixels, and their mean.

    Jaccard, "The distribution of the flora in the alpine zone", 1912. A class that neither has
    is left out; where no class is left they agree, and the mean is 1.
    """
    found = []
    for each in classes[1:]:
        either = np.logical_or(predicted == each, masks == each).sum()
        if either:
            found.append(np.logical_and(predicted == each, masks == each).sum() / either)
    return float(np.mean(found)) if found else 1.0
