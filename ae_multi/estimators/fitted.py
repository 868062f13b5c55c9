"""Validation of the fitted attributes in a file, so that every loaded estimator can predict."""

from __future__ import annotations

import math
import numbers
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.estimators import combined_score
from ae_multi.estimators.preprocessing import TablePreprocessor
from ae_multi.estimators.score_reference import MAX_QUANTILES, SOURCES
from ae_multi.models.inputs import sample_shape

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator


def check_fitted(estimator: NetworkEstimator) -> None:
    """Raise `InputError` if a fitted attribute is missing, invalid or contradicts another one."""
    attributes = vars(estimator)
    for name in (*_REQUIRED, *_required_of_class(estimator)):
        if name not in attributes:
            raise InputError(f"Expected the fitted attribute {name}. Received: none.")
    for name, is_valid in _VALIDATORS.items():
        if name in attributes and not is_valid(attributes[name], estimator):
            raise InputError(
                f"Expected {name} to be a value that `fit` can set. "
                f"Received: {_describe(attributes[name])}."
            )


_REQUIRED = ("sample_shape_", "n_features_in_", "network_", "loss_curve_", "input_offset_",
             "input_span_")  # fmt: skip

_REFERENCE = ("reference_scores_", "reference_count_", "reference_")


def _required_of_class(estimator):
    """Return the further attributes that a detector must have."""
    has_reference = any(name in vars(estimator) for name in _REFERENCE)  # older files have none
    has_preprocessor = getattr(estimator, "preprocessor", None) is not None
    preprocessor = ("preprocessor_",) if has_preprocessor else ()
    return (*estimator._required_attributes, *preprocessor, *(_REFERENCE if has_reference else ()))


# Validators have the signature (value, estimator) -> bool.


def _is_count(value, _=None):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value, _=None):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_shape(value, estimator):
    is_tuple = isinstance(value, tuple) and value and all(map(_is_count, value))
    return bool(is_tuple) and math.prod(value) == estimator.n_features_in_ > 0


def _is_curve(value, _):
    return isinstance(value, list) and all(map(_is_number, value))


def _are_names(value, estimator):
    shape = (estimator.n_features_in_,)
    return isinstance(value, np.ndarray) and value.dtype == object and value.shape == shape


def _is_scale(value, estimator):
    """Check for one number per column of a table, or one number for all pixels of images."""
    if estimator.scale is None or value is None:
        return estimator.scale is None and value is None
    shape = estimator.sample_shape_ if len(estimator.sample_shape_) == 1 else ()
    is_array = isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.shape == shape
    return is_array and bool(np.isfinite(value).all())


def _is_span(value, estimator):
    return _is_scale(value, estimator) and (value is None or bool((value >= 0).all()))


def _is_network(value, estimator):
    """Check for a model from samples to reconstructions or to class probabilities of pixels."""
    if not isinstance(value, keras.Model):
        return False
    shape = estimator._network_shape
    if sample_shape(getattr(value, "encoder", value)) not in (None, shape):
        return False
    classes = getattr(estimator, "classes_", None)
    required = shape if classes is None else (*shape[:2], len(classes))
    outputs = value.compute_output_spec(keras.KerasTensor((None, *shape), "float32"))
    return tuple(outputs.shape[1:]) == required


def _are_codes(value, estimator):
    if value is None:
        return True
    shape = tuple(estimator.network_.encoder.output_shape[1:])
    is_array = isinstance(value, np.ndarray) and value.dtype == np.float32 and len(value) > 0
    return is_array and value.shape[1:] == shape and bool(np.isfinite(value).all())


def _are_constants(value, estimator):
    return value is None or (
        isinstance(value, dict) and combined_score.are_valid(value, estimator.n_features_in_)
    )


def _is_neighbor_count(value, estimator):
    if getattr(estimator, "score_constants_", None) is not None:
        return _is_count(value) and value > 0
    return _matches_codes(value, estimator, _is_count(value) and value > 0)


def _matches_codes(value, estimator, is_valid):
    """Check that ``value`` is None without codes, and valid with codes."""
    return value is None if getattr(estimator, "codes_", None) is None else is_valid


def _is_preprocessor(value, estimator):
    """Check for a fitted preprocessor of as many features as the network has inputs."""
    if estimator.preprocessor is None or value is None:
        return estimator.preprocessor is None and value is None
    is_fitted = isinstance(value, TablePreprocessor) and hasattr(value, "encoders_")
    return is_fitted and len(value.source_) == estimator.n_features_in_


def _are_scores(value, _):
    is_vector = isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == 1
    return is_vector and 0 < len(value) <= MAX_QUANTILES and bool((np.diff(value) >= 0).all())


def _are_classes(value, _):
    is_vector = isinstance(value, np.ndarray) and value.ndim == 1 and len(value) > 1
    return is_vector and len(np.unique(value)) == len(value)


def _are_units(value, estimator):
    is_array = isinstance(value, np.ndarray) and value.dtype == np.float64
    shape = (estimator.n_features_in_,)
    return is_array and value.shape == shape and bool((np.isfinite(value) & (value > 0)).all())


# The order matters: validators use attributes that are validated before.
_VALIDATORS = {
    "n_features_in_": _is_count,
    "sample_shape_": _is_shape,
    "classes_": _are_classes,
    "network_": _is_network,
    "input_offset_": _is_scale,
    "input_span_": _is_span,
    "loss_curve_": lambda value, estimator: _is_curve(value, estimator) and bool(value),
    "validation_loss_curve_": lambda value, estimator: value is None or _is_curve(value, estimator),
    "n_iter_": _is_count,
    "n_samples_seen_": _is_count,
    "seed_": _is_count,
    "feature_names_in_": _are_names,
    "given_shape_": _is_shape,
    "pairs_": lambda value, _: isinstance(value, bool),
    "offset_": lambda value, _: _is_number(value) and not math.isnan(value),
    "codes_": _are_codes,
    "score_constants_": _are_constants,
    "neighbors_": _is_neighbor_count,
    "weight_": lambda value, estimator: _matches_codes(
        value, estimator, _is_number(value) and 0 < value < math.inf
    ),
    "normal_errors_": _are_units,
    "preprocessor_": _is_preprocessor,
    "code_size_": lambda value, _: value is None or _is_count(value),
    "reference_scores_": _are_scores,
    "reference_count_": lambda value, estimator: (
        _is_count(value) and value >= len(estimator.reference_scores_)
    ),
    "reference_": lambda value, _: isinstance(value, str) and value in SOURCES,
    "provenance_": lambda value, _: isinstance(value, dict),
}


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    return f"{type(value).__name__} {value!r:.80}"
