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


def calibrated_blocks(scores: np.ndarray, false_alarm_rate: float) -> float:
    """Return the threshold that timestamps of a normal block exceed at the given rate at most.

    Scores of neighboring timestamps are alike, so not they but blocks of time count as samples. If
    the loss of a block is the fraction of its scores above the threshold, the threshold is that of
    conformal risk control (Angelopoulos et al., ICLR 2024, equation 4): the expected loss of a new
    block that is exchangeable with the given ones is at most the rate. For blocks of one score it
    equals `calibrated`.

    Args:
        scores: scores of held-out normal blocks, (blocks, timestamps).
        false_alarm_rate: expected fraction of false alarms.

    Raises:
        InputError: fewer than 1/rate - 1 blocks.
    """
    blocks, length = scores.shape
    # Rounded so that 20 × 0.05 is 1 despite the error of floating-point numbers.
    exceeding = math.floor(round(length * (false_alarm_rate * (blocks + 1) - 1), 9))
    if exceeding < 0:
        least = math.ceil(round(1 / false_alarm_rate, 9)) - 1
        raise InputError(
            f"Expected at least {least} held-out blocks of {length} timestamps for a false-alarm "
            f"rate of {false_alarm_rate:g}. Received: {blocks}. Pass a longer series, hold out a "
            "larger fraction, or accept a higher rate."
        )
    return float(np.sort(scores, axis=None)[scores.size - exceeding - 1])
