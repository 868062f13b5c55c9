"""From which error on a sample counts as strange."""

import math

import numpy as np

from ae_multi.errors import InputError


def share(errors, contamination):
    """The error above which the share ``contamination`` of ``errors`` lies."""
    return float(np.percentile(errors, 100 * (1 - contamination)))


def fence(errors):
    """Tukey's outer edge of what is usual: the third quartile and 1.5 interquartile ranges.

    Tukey, Exploratory Data Analysis, 1977. It stays where it is while less than a quarter of the
    errors are those of strange samples.
    """
    low, high = np.percentile(errors, [25, 75])
    return float(high + 1.5 * (high - low))


def calibrated(errors, false_alarm_rate):
    """The error that a new normal sample exceeds with a probability of at most the wanted one.

    The ⌈(n + 1)(1 - α)⌉-th smallest of n errors of normal samples that training has not seen
    (Laxhammar & Falkman, "Conformal prediction for distribution-independent anomaly detection in
    streaming vessel data", 2010): the new error is as likely to fall between any two of them.

    Raises:
        InputError: fewer samples than the rate takes, 1/α - 1.
    """
    samples = len(errors)
    # Rounded, since 20 × 0.95 should be 19 and not the number after it.
    place = math.ceil(round((samples + 1) * (1 - false_alarm_rate), 9))
    if place > samples:
        least = math.ceil(round(1 / false_alarm_rate, 9)) - 1
        raise InputError(
            f"Expected at least {least} held-out samples for a false-alarm rate of "
            f"{false_alarm_rate:g}. Received: {samples}."
        )
    return float(np.sort(errors)[place - 1])
