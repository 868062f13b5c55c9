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
    """Return the conformal threshold: normal samples exceed it with the given probability.

    The error of a new normal sample is equally likely to fall into each of the n + 1 intervals
    between the errors of n normal samples that were not used in training (Laxhammar & Falkman,
    "Conformal prediction for distribution-independent anomaly detection in streaming vessel data",
    2010). A new sample therefore exceeds the k-th smallest with probability 1 - k / (n + 1). If
    (n + 1)(1 - α) is not an integer, the threshold is one of the two errors around this rank, at
    random, with the probabilities that make the rate exact (smoothed conformal predictors: Vovk,
    Gammerman & Shafer, "Algorithmic learning in a random world", 2005, section 2.2).

    The random number is a function of the positions of the two largest errors: for samples in
    random order they do not depend on the errors, and they are the same on every backend.

    Args:
        errors: errors of n held-out normal samples.
        false_alarm_rate: α, the probability of a false alarm, over draws of the samples.

    Raises:
        InputError: fewer than 1/α - 1 samples.
    """
    samples = len(errors)
    # Rounded so that 20 × 0.95 is 19 despite the error of floating-point numbers.
    rank = round((samples + 1) * (1 - false_alarm_rate), 9)
    if rank > samples:
        raise InputError(
            f"Expected at least {least_samples(false_alarm_rate):,} held-out samples for a "
            f"false-alarm rate of {false_alarm_rate:g}. Received: {samples:,}."
        )
    order = np.argsort(errors, kind="stable")
    below = math.floor(rank)
    chosen = below + (_random_number(order) < rank - below)
    return float(errors[order[max(chosen, 1) - 1]])


def least_samples(false_alarm_rate: float) -> int:
    """Return the smallest number of held-out samples for a rate of false alarms, ⌈1/α⌉ - 1."""
    return math.ceil(round(1 / false_alarm_rate, 9)) - 1


def _random_number(order: np.ndarray) -> float:
    """Return a number in (0, 1) from the positions of the two largest of n samples.

    Args:
        order: indices that sort the samples. If each order is equally likely, the number is
            uniform on n (n - 1) values.
    """
    samples = len(order)
    if samples == 1:
        return 0.5
    largest, second = int(order[-1]), int(order[-2])
    place = largest * (samples - 1) + second - (second > largest)
    return (place + 0.5) / (samples * (samples - 1))
