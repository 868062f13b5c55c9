"""What callers hand to an estimator, as arrays of samples, by scikit-learn's own checks."""

import math

import numpy as np
from sklearn.utils.validation import validate_data

from ae_multi.data.checks import channels_hint, faulty_value
from ae_multi.errors import InputError
from ae_multi.models.inputs import check_image_shape
from ae_multi.randomness.streams import stream
from ae_multi.validation import check_shape


def take(estimator, x, reset):
    r"""Samples as finite floats of shape (n, \*estimator.sample_shape\_).

    Takes arrays, lists, tensors on the processor, and data frames: tables of shape
    (n, features), or images of shape (n, height, width) or (n, height, width, channels).

    Args:
        estimator: whose ``n_features_in_``, ``feature_names_in_`` and ``sample_shape_`` are set
            or held against ``x``.
        x: the samples.
        reset: whether ``x`` says what samples are like, as in `fit`.

    Raises:
        ValueError: NaN, infinity, text, dates, complex numbers, no samples (one in `fit`), or
            another number of features than in `fit`, in scikit-learn's words; of a table the
            message names column and row.
        InputError: images of another shape than in `fit`, or rows that are no such images.
    """
    given = x
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    shape = None
    if getattr(x, "ndim", 2) > 2:
        x = np.asarray(x)
        shape = x.shape[1:]
        x = x.reshape(len(x), math.prod(shape))
    # Bytes and half floats need no float64, which would be eight times their size.
    small = getattr(getattr(x, "dtype", None), "itemsize", 8) <= 2
    types = [np.float32, np.float64] if small else [np.float64, np.float32]
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # in scikit-learn's sum of all values
            x = validate_data(
                estimator, x, reset=reset, dtype=types, ensure_min_samples=2 if reset else 1
            )
    except (TypeError, ValueError) as error:
        found = faulty_value(given)
        if found is None:
            raise
        # scikit-learn's checks want its types of errors and its words.
        kind = TypeError if isinstance(error, TypeError) and "(dict)" in found else InputError
        raise kind(
            f"Expected X to hold finite numbers alone. Received: {found}. ({error})"
        ) from error
    if reset:
        asked = estimator.image_shape
        asked = shape or x.shape[1:] if asked is None else check_shape(asked, "image_shape")
        if math.prod(asked) != x.shape[1]:
            raise InputError(
                f"Expected samples of image_shape {asked}, {math.prod(asked)} values each. "
                f"Received: {x.shape[1]} values each."
            )
        estimator.sample_shape_ = check_image_shape(asked) if len(asked) == 3 else tuple(asked)
    elif shape is not None and shape != estimator.sample_shape_:
        raise InputError(
            f"Expected samples of shape {estimator.sample_shape_}, as in fit. Received: {shape}."
            f"{channels_hint(shape, estimator.sample_shape_)}"
        )
    return x.reshape(len(x), *estimator.sample_shape_)


def shape_of(x):
    """The shape of one sample as the caller sees it: images stay images, rows stay rows."""
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    return tuple(x.shape[1:]) if hasattr(x, "shape") else None


def held_out(seed, purpose, samples, fraction, number=0):
    """Which samples to train on and which to keep aside: two sorted arrays of indices.

    A pure function of its arguments, the same on every backend; at least one sample on each side.

    Raises:
        InputError: a single sample, which cannot be on both sides.
    """
    if samples < 2:
        raise InputError("Expected at least 2 samples, to keep some aside. Received: 1.")
    order = np.argsort(stream(seed, purpose, number).random_raw(samples), kind="stable")
    count = min(max(1, round(fraction * samples)), samples - 1)
    return np.sort(order[count:]), np.sort(order[:count])
