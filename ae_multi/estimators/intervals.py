"""Intervals of time in which a series is anomalous."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class AnomalyInterval(NamedTuple):
    """An interval of anomalous timestamps.

    Attributes:
        begin: index of the first timestamp.
        end: index after the last timestamp, as in a slice.
        score: highest anomaly score in the interval.
        sensors: the fewest sensors that cause at least half of the excess, the one that causes most
            first. The excess of a sensor is the mean of its errors in the interval, less the error
            1 of normal data. Names if `fit` received a data frame, otherwise indices.
    """

    begin: int
    end: int
    score: float
    sensors: tuple[Any, ...]


def join(
    errors: np.ndarray, threshold: float, gap: int, names: Sequence[Any] | None = None
) -> list[AnomalyInterval]:
    """Join the timestamps of one series whose score is above the threshold into intervals.

    Args:
        errors: errors in units of the normal error, (timestamps, sensors); the score of a timestamp
            is their mean.
        threshold: threshold of the score.
        gap: alarms with fewer than this many timestamps between them belong to one interval.
        names: names of the sensors, or None for their indices. Sensors of one name count as one,
            whose excess is the sum of theirs.
    """
    scores = errors.mean(axis=1)
    alarms = np.flatnonzero(scores > threshold)
    if not len(alarms):
        return []
    names = list(range(errors.shape[1])) if names is None else list(names)
    unique = list(dict.fromkeys(names))
    places = [unique.index(name) for name in names]
    groups = np.split(alarms, np.flatnonzero(np.diff(alarms) - 1 >= max(gap, 1)) + 1)
    result = []
    for group in groups:
        rows = slice(int(group[0]), int(group[-1]) + 1)
        excess = np.maximum(errors[rows].mean(axis=0) - 1, 0)
        excess = np.bincount(places, weights=excess, minlength=len(unique))
        order = np.argsort(-excess, kind="stable")
        total = np.cumsum(excess[order])
        count = int(np.searchsorted(total, total[-1] / 2)) + 1
        sensors = tuple(unique[sensor] for sensor in order[:count])
        result.append(AnomalyInterval(rows.start, rows.stop, float(scores[rows].max()), sensors))
    return result
