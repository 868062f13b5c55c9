"""Figure of anomalies in a time series: sensors, scores, threshold and intervals."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ae_multi.estimators.intervals import join
from ae_multi.estimators.time_series import TimeSeriesDetector
from ae_multi.io.atomic import atomic_write
from ae_multi.tasks.plotting import BASELINE_COLOURS, MODEL_COLOUR, literal, open_frame

# Of more timestamps than _MAX_POINTS, the lowest and the highest of each bin are drawn.
_MAX_POINTS, _MAX_SENSORS = 4000, 12


def draw_series(
    detector: TimeSeriesDetector,
    series: Any,
    path: os.PathLike[str] | str,
    *,
    times: Sequence[Any] | np.ndarray | None = None,
    gap: int | None = None,
) -> None:
    """Draw a series, its scores and the intervals in which it is anomalous.

    Each sensor has a panel, in which the intervals that it causes are shaded. Of more than twelve
    sensors those with the largest errors are drawn, in the order of the series.

    Args:
        detector: a fitted detector.
        series: one series, an array or data frame of shape (timestamps, sensors).
        path: file to write; its suffix determines the format.
        times: numbers or dates of the timestamps, for the axis; None for their indices.
        gap: as in `TimeSeriesDetector.intervals`.
    """
    errors = detector.feature_errors(series)
    values = np.asarray(series, np.float64)
    names = list(getattr(detector, "feature_names_in_", range(values.shape[1])))
    gap = detector.window // 2 if gap is None else gap
    threshold = -detector.offset_
    intervals = join(errors, threshold, gap)
    times = np.arange(len(values)) if times is None else np.asarray(times)
    shown = np.sort(np.argsort(-errors.max(axis=0), kind="stable")[:_MAX_SENSORS])
    figure = Figure(figsize=(12, 2.4 + 0.95 * len(shown)), layout="constrained")
    axes = figure.subplots(
        len(shown) + 1, 1, sharex=True, squeeze=False, height_ratios=[1] * len(shown) + [1.8]
    )[:, 0]
    for panel, sensor in zip(axes, shown, strict=False):
        _line(panel, times, values[:, sensor], MODEL_COLOUR)
        for interval in intervals:
            if sensor in interval.sensors:
                _shade(panel, times, interval.begin, interval.end)
        label = names[sensor] if isinstance(names[sensor], str) else f"sensor {names[sensor]}"
        panel.set_ylabel(
            literal(label[:18]), rotation=0, ha="right", va="center", fontsize=9, labelpad=12
        )
        panel.tick_params(labelsize=8)
    _scores(axes[-1], times, errors.mean(axis=1), threshold)
    for interval in intervals:
        _shade(axes[-1], times, interval.begin, interval.end)
    hidden = values.shape[1] - len(shown)
    figure.suptitle(
        f"{len(intervals)} anomalous {'interval' if len(intervals) == 1 else 'intervals'} in "
        f"{len(values):,} timestamps"
        + (f"; {hidden} sensors with smaller errors are not drawn" if hidden else ""),
        fontsize=11,
    )
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight", pad_inches=0.15)


def _line(axes: Axes, times: np.ndarray, values: np.ndarray, colour: str) -> None:
    """Draw a curve; of each bin of a long one the lowest and the highest value."""
    if len(values) > _MAX_POINTS:
        edges = np.linspace(0, len(values), _MAX_POINTS // 2 + 1).astype(int)[:-1]
        lows, highs = np.minimum.reduceat(values, edges), np.maximum.reduceat(values, edges)
        times, values = np.repeat(times[edges], 2), np.stack([lows, highs], axis=1).ravel()
    axes.plot(times, values, color=colour, linewidth=0.8)
    axes.margins(x=0.005)
    open_frame(axes)


def _scores(axes: Axes, times: np.ndarray, scores: np.ndarray, threshold: float) -> None:
    _line(axes, times, scores, "0.2")
    axes.axhline(threshold, color=BASELINE_COLOURS[0], linewidth=1.2, linestyle="--")
    axes.annotate(
        f" threshold {threshold:.3g}",
        (1, threshold),
        xycoords=("axes fraction", "data"),
        va="center",
        fontsize=9,
        color=BASELINE_COLOURS[0],
    )
    axes.set_yscale("log")
    axes.set_ylabel("score", rotation=0, ha="right", va="center", fontsize=9, labelpad=12)
    axes.set_xlabel("timestamp")
    axes.tick_params(labelsize=8)


def _shade(axes: Axes, times: np.ndarray, begin: int, end: int) -> None:
    # An interval of a single timestamp would have no width.
    axes.axvspan(
        times[begin],
        times[min(end, len(times) - 1)],
        color=BASELINE_COLOURS[0],
        alpha=0.25,
        linewidth=1,
    )
