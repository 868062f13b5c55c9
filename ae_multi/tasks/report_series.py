"""Codes of the rows of a time series for a report: those of the windows around them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ae_multi.estimators import TimeSeriesDetector, windows
from ae_multi.models.base import predict_float32

# Windows that are encoded at once.
_WINDOWS_AT_ONCE = 1000


def samples_and_codes(detector: TimeSeriesDetector, x: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the scaled rows of a series and the code of the window around each row.

    Args:
        detector: a fitted detector.
        x: one series.

    Returns:
        (float32 (rows, features), codes (rows, code size)). Of the windows that score the series,
        the one with the nearest centre gives the code of a row.
    """
    [scaled] = detector._checked_series(x)
    positions = windows.starts(len(scaled), detector.window, detector.stride)
    parts = [
        predict_float32(
            detector.network_.encoder,
            windows.cut(scaled, positions[first : first + _WINDOWS_AT_ONCE], detector.window),
        )
        for first in range(0, len(positions), _WINDOWS_AT_ONCE)
    ]
    codes = np.concatenate(parts).reshape(len(positions), -1)
    return scaled, codes[nearest_windows(positions, len(scaled), detector.window)]


def nearest_windows(positions: np.ndarray, rows: int, window: int) -> np.ndarray:
    """Return the index of the window whose centre is nearest to each row; (rows,).

    Args:
        positions: first rows of the windows, ascending.
        rows: number of rows.
        window: number of rows of a window.
    """
    centres = positions + (window - 1) / 2
    borders = (centres[1:] + centres[:-1]) / 2
    return np.searchsorted(borders, np.arange(rows))
