"""Normal errors of sensors: the units of the errors of a time series."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

# The unit of errors is the mean of this fraction of the smallest errors, so that anomalies among
# the held-out timestamps do not change it, and at least _MIN_UNIT (in scaled values).
_TRIMMED, _MIN_UNIT = 0.9, 1e-6


def normal_errors(errors: np.ndarray) -> np.ndarray:
    """Return the mean of the smallest nine tenths of the errors of each sensor, above 0.

    Args:
        errors: errors of held-out timestamps, (timestamps, sensors).
    """
    smallest = np.sort(errors, axis=0)[: max(1, int(_TRIMMED * len(errors)))]
    return np.maximum(smallest.mean(axis=0), _MIN_UNIT)


def two_valued(series: Iterable[np.ndarray]) -> np.ndarray:
    """Return which sensors have exactly two values in all series, booleans (sensors,).

    Such are switches, categories, and features that say whether a value is missing. Where one of
    the values is rare, all of its errors are among the largest tenth, and the mean of the others
    says nothing about it.

    Args:
        series: arrays of shape (timestamps, sensors), iterated over twice.
    """
    lows = np.min([each.min(axis=0) for each in series], axis=0)
    highs = np.max([each.max(axis=0) for each in series], axis=0)
    has_others = [((each != lows) & (each != highs)).any(axis=0) for each in series]
    return (lows < highs) & ~np.any(has_others, axis=0)
