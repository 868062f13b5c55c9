"""Windows of time series: positions, copies in parts, means over windows, held-out segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ae_multi.randomness.streams import uniform

# A segment of held-out timestamps has about _SEGMENT_WINDOWS windows, and a series up to
# _MAX_SEGMENTS of them.
_SEGMENT_WINDOWS, _MAX_SEGMENTS = 8, 10


def starts(timestamps: int, window: int, stride: int) -> np.ndarray:
    """Return the first timestamps of the windows of one series: int64.

    The windows begin at 0, stride, 2 stride, …; an extra last one covers the rest of the series.

    Args:
        timestamps: length of the series, at least ``window``.
        window: length of a window.
        stride: distance of two windows, at most ``window``.
    """
    last = timestamps - window
    positions = np.arange(0, last + 1, stride)
    return positions if positions[-1] == last else np.append(positions, last)


def cut(series: np.ndarray, positions: np.ndarray, window: int) -> np.ndarray:
    """Return a copy of windows of one series: (positions, window, sensors), contiguous."""
    view = sliding_window_view(series, window, axis=0)  # (timestamps - window + 1, sensors, window)
    return np.ascontiguousarray(view[positions].transpose(0, 2, 1))


class Parts:
    """Windows of several series, copied in parts of bounded size; none crosses two series.

    A part takes every n-th window, so that it resembles all of the data. All parts have the same
    number of windows, for which the first ones of the last parts may be repeated.

    Args:
        series: float32 arrays of shape (timestamps, sensors), of at least ``window`` timestamps.
        window: length of a window.
        stride: distance of two windows.
        max_bytes: size of a part; a single window may be larger.

    Attributes:
        windows: number of windows.
        count: number of parts.
    """

    def __init__(
        self, series: Sequence[np.ndarray], window: int, stride: int, max_bytes: int
    ) -> None:
        self._series, self._window = series, window
        self._starts = [starts(len(each), window, stride) for each in series]
        self.windows = sum(map(len, self._starts))
        size = window * series[0].shape[1] * series[0].itemsize if series else 1
        self.count = max(1, -(-self.windows // max(1, max_bytes // size)))

    def __iter__(self) -> Iterator[np.ndarray]:
        bounds = np.cumsum([0, *map(len, self._starts)])
        size = -(-self.windows // self.count)
        for part in range(self.count):
            # Wrapping around may leave the order; each series is copied at once.
            chosen = np.sort((part + self.count * np.arange(size)) % self.windows)
            yield np.concatenate(
                [
                    cut(series, positions[of_series], self._window)
                    for series, positions, low, high in zip(
                        self._series, self._starts, bounds, bounds[1:], strict=False
                    )
                    if len(of_series := chosen[(low <= chosen) & (chosen < high)] - low)
                ]
            )


def mean_over_windows(
    errors: Iterator[tuple[np.ndarray, np.ndarray]], timestamps: int, sensors: int
) -> np.ndarray:
    """Return for each timestamp the mean of its errors in the windows that contain it.

    Args:
        errors: pairs of (positions, errors of shape (positions, window, sensors)).
        timestamps: length of the series; every timestamp is in a window.
        sensors: number of sensors.

    Returns:
        float64 of shape (timestamps, sensors).
    """
    sums, counts = np.zeros((timestamps, sensors)), np.zeros((timestamps, 1))
    for positions, of_windows in errors:
        for begin, of_window in zip(positions, of_windows, strict=True):
            sums[begin : begin + len(of_window)] += of_window
            counts[begin : begin + len(of_window)] += 1
    return sums / counts


class Split(NamedTuple):
    """Parts of a series for training and for the threshold, as slices of timestamps.

    Attributes:
        train: parts for training, of at least a window each.
        held_out: pairs of (context, segment): the segment is held out; the context is the segment
            with its gaps, so that the windows over the segment are those of a whole series.
    """

    train: list[slice]
    held_out: list[tuple[slice, slice]]


def split(seed: int, number: int, timestamps: int, window: int, fraction: float) -> Split:
    """Split a series into parts for training and held-out segments.

    Neighboring timestamps are alike, and those of one window are reconstructed together. So whole
    segments are held out, each at a random place in its own part of the series, and a gap of one
    window before and after a segment is neither trained on nor held out. The length of a segment is
    a multiple of the window. A function of its arguments alone, the same on every backend.

    Args:
        seed: seed of the places.
        number: number of the series.
        timestamps: length of the series.
        window: length of a window.
        fraction: fraction of the timestamps to hold out. At least one window is held out of a
            series of five windows or more, and nothing of a shorter one.
    """
    blocks = max(1, round(fraction * timestamps / window))
    segments = min(max(blocks // _SEGMENT_WINDOWS, 1), _MAX_SEGMENTS)
    room = timestamps // segments
    # Of the four windows beside a segment two are gaps, so one side leaves a window to train on.
    length = min(blocks // segments, room // window - 4) * window
    if length < window:
        return Split([slice(0, timestamps)], [])
    places = uniform(seed, "calibration", segments, number)
    begins = [room * i + int(place * (room - length + 1)) for i, place in enumerate(places)]
    held_out = [
        (
            slice(max(0, begin - window), min(timestamps, begin + length + window)),
            slice(begin, begin + length),
        )
        for begin in begins
    ]
    edges = [0, *(edge for context, _ in held_out for edge in (context.start, context.stop))]
    edges.append(timestamps)
    train = [
        slice(begin, end)
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
        if end - begin >= window
    ]
    return Split(train, held_out)
