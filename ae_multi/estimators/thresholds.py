"""Thresholds of the anomaly score."""

import math

import numpy as np

from ae_multi.errors import InputError


def share(errors: np.ndarray, contamination: float) -> float:
    """Return the threshold that the fraction ``contamination`` of ``errors`` exceeds."""
    return float(np.percentile(errors, 100 * (1 - contamination)))


def fence(errors: np.ndarray) -> float:
    """Return Tukey's upper fence: the third quartile plus 1.5 interquartile ranges.

    Tukey, Exploratory Data Analysis, 1977. It is robust if less than a quarter of the errors are
    those of anomalies.
    """
    low, high = np.percentile(errors, [25, 75])
    return float(high + 1.5 * (high - low))


def calibrated(errors: np.ndarray, false_alarm_rate: float) -> float:
    """Return the conformal threshold: normal samples exceed it with at most the given probability.

    It is the ⌈(n + 1)(1 - α)⌉-th smallest of n errors of normal samples that were not used in
    training (Laxhammar & Falkman, "Conformal prediction for distribution-independent anomaly
    detection in streaming vessel data", 2010): the error of a new normal sample is equally likely
    to fall into each of the n + 1 intervals between them.

    Args:
        errors: errors of n held-out normal samples.
        false_alarm_rate: α, the probability of a false alarm.

    Raises:
        InputError: fewer than 1/α - 1 samples.
    """
    samples = len(errors)
    # Rounded so that 20 × 0.95 is 19 despite the error of floating-point numbers.
    rank = math.ceil(round((samples + 1) * (1 - false_alarm_rate), 9))
    if rank > samples:
        least = math.ceil(round(1 / false_alarm_rate, 9)) - 1
        raise InputError(
            f"Expected at least {least} held-out samples for a false-alarm rate of "
            f"{false_alarm_rate:g}. Received: {samples}."
        )
    return float(np.sort(errors)[rank - 1])
