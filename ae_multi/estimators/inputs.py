"""Validation of estimators' inputs with scikit-learn's checks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import validate_data

from ae_multi.argument_checks import check_shape
from ae_multi.data.checks import channels_hint, faulty_value
from ae_multi.errors import InputError
from ae_multi.models.inputs import check_image_shape
from ae_multi.randomness.streams import stream

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator


def take(estimator: NetworkEstimator, x: Any, reset: bool) -> np.ndarray:
    r"""Return samples as finite floats of shape (n, \*estimator.sample_shape\_).

    Accepts arrays, lists, CPU tensors and data frames: tables of shape (n, features), or images of
    shape (n, height, width) or (n, height, width, channels).

    Args:
        estimator: estimator whose ``n_features_in_``, ``feature_names_in_`` and ``sample_shape_``
            are set from ``x`` or compared with it.
        x: samples.
        reset: whether to set these attributes, as `fit` does, or to compare them with ``x``.

    Raises:
        ValueError: NaN, infinity, text, dates, complex numbers, no samples (a single sample in
            `fit`), or another number of features than in `fit`. The messages are scikit-learn's;
            for tables they also name column and row.
        InputError: images of another shape than in `fit`, or rows whose length does not fit
            ``image_shape``.
    """
    original = x
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    shape = None
    if getattr(x, "ndim", 2) > 2:
        x = np.asarray(x)
        shape = x.shape[1:]
        x = x.reshape(len(x), math.prod(shape))
    # 8-bit and 16-bit values are converted to float32: float64 is up to eight times their size.
    small = getattr(getattr(x, "dtype", None), "itemsize", 8) <= 2
    types = [np.float32, np.float64] if small else [np.float64, np.float32]
    try:
        # scikit-learn's check sums all values, which may overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            x = validate_data(
                estimator, x, reset=reset, dtype=types, ensure_min_samples=2 if reset else 1
            )
    except (TypeError, ValueError) as error:
        faulty = faulty_value(original)
        if faulty is None:
            raise
        # scikit-learn's estimator checks require its error types and messages.
        kind = TypeError if isinstance(error, TypeError) and "(dict)" in faulty else InputError
        raise kind(
            f"Expected X to contain only finite numbers. Received: {faulty}. ({error})"
        ) from error
    if reset:
        target = estimator.image_shape
        target = shape or x.shape[1:] if target is None else check_shape(target, "image_shape")
        if math.prod(target) != x.shape[1]:
            raise InputError(
                f"Expected samples of image_shape {target}, {math.prod(target)} values each. "
                f"Received: {x.shape[1]} values each."
            )
        estimator.sample_shape_ = check_image_shape(target) if len(target) == 3 else tuple(target)
    elif shape is not None and shape != estimator.sample_shape_:
        raise InputError(
            f"Expected samples of shape {estimator.sample_shape_}, as in fit. Received: {shape}."
            f"{channels_hint(shape, estimator.sample_shape_)}"
        )
    return x.reshape(len(x), *estimator.sample_shape_)


def shape_of(x: Any) -> tuple[int, ...] | None:
    """Return the shape of one sample of ``x``, not reshaped to ``image_shape``.

    None for objects without a shape.
    """
    if isinstance(x, list | tuple):
        x = np.asarray(x)
    return tuple(x.shape[1:]) if hasattr(x, "shape") else None


def held_out(
    seed: int, purpose: str, samples: int, fraction: float, number: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Split samples at random into training and held-out samples.

    A pure function of its arguments, the same on every backend.

    Args:
        seed: seed of the split.
        purpose: name of the random stream.
        samples: number of samples.
        fraction: fraction to hold out; at least one sample is in each set.
        number: index of the chunk.

    Returns:
        (training, held out), two sorted arrays of indices.

    Raises:
        InputError: fewer than two samples.
    """
    if samples < 2:
        raise InputError("Expected at least 2 samples, to hold some out. Received: 1.")
    order = np.argsort(stream(seed, purpose, number).random_raw(samples), kind="stable")
    count = min(max(1, round(fraction * samples)), samples - 1)
    return np.sort(order[count:]), np.sort(order[:count])
