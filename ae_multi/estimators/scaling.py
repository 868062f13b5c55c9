"""Inputs brought to the size that a network takes, and its outputs brought back."""

import numpy as np

from ae_multi.errors import InputError

KINDS = ("minmax", "standard", None)
# Powers of two up to which squares, and sums of many of them, are float64 numbers.
_SAFE_EXPONENT = 400
# What lies farther than so many spans from the training data says no more by lying there, and
# its square should still be a float32.
LIMIT = 1e6


# scikit-learn's scalers overflow where squares of values leave float64.
class Scaling:
    """Learns offset and span of each feature, over one array or over many in turn.

    Args:
        kind: "minmax" (lowest value and range), "standard" (mean and standard deviation), or
            None, which learns nothing.
        each: whether every feature has its own, as the columns of a table do; the pixels of an
            image share one.
    """

    def __init__(self, kind, each):
        self.kind, self.each = kind, each
        self._count, self._low, self._high = 0, np.inf, -np.inf
        self._mean, self._squares, self._shift = 0.0, 0.0, 0

    def update(self, x):
        r"""Take account of ``x``, finite floats of shape (n, \*sample shape)."""
        if self.kind is None:
            return
        axes = 0 if self.each else None
        self._low = np.minimum(self._low, x.min(axis=axes))
        self._high = np.maximum(self._high, x.max(axis=axes))
        if self.kind == "standard":
            # Chan, Golub & LeVeque, "Updating formulae", 1979: exact however data are cut.
            count = len(x) if self.each else x.size
            x = self._shifted(x)
            mean = x.mean(axis=axes, dtype=np.float64)
            squares = np.square(x - mean).sum(axis=axes, dtype=np.float64)
            total = self._count + count
            step = mean - self._mean
            self._squares = self._squares + squares + step**2 * (self._count * count / total)
            self._mean = self._mean + step * (count / total)
            self._count = total

    def _shifted(self, x):
        """``x`` divided by powers of two where squares of its values would leave float64."""
        largest = np.maximum(np.abs(self._low), np.abs(self._high)).astype(np.float64)
        exponent = np.frexp(largest)[1]
        shift = np.where(np.abs(exponent) > _SAFE_EXPONENT, exponent, 0)
        # What is known so far has the unit of earlier samples.
        self._mean = np.ldexp(self._mean, self._shift - shift)
        self._squares = np.ldexp(self._squares, 2 * (self._shift - shift))
        self._shift = shift
        return np.ldexp(x.astype(np.float64), -shift) if shift.any() else x

    def learned(self):
        """(offset, span) as float64 arrays, span 0 where all values are the same; or two None."""
        if self.kind is None:
            return None, None
        low, high = np.float64(self._low), np.float64(self._high)
        with np.errstate(over="ignore"):
            span = high - low
        if not np.isfinite(span).all():
            column = int(np.argmax(~np.isfinite(np.atleast_1d(span))))
            where = f" in the column {column}" if self.each else ""
            low, high = np.atleast_1d(low)[column], np.atleast_1d(high)[column]
            raise InputError(
                "Expected features whose range, highest less lowest value, is a float64. "
                f"Received: values from {low:g} to {high:g}{where}."
            )
        # Differences of this size are rounding, not variation.
        constant = span <= 10 * np.finfo(np.float64).eps * np.maximum(abs(low), abs(high))
        if self.kind == "standard":
            low = np.ldexp(self._mean, self._shift)
            span = np.ldexp(np.sqrt(self._squares / self._count), self._shift)
        return np.asarray(low), np.where(constant, 0.0, span)


def scale(x, offset, span):
    """(x - offset) / span as float32, at most `LIMIT` from 0; a span of 0 divides by 1."""
    if offset is None:
        return np.clip(x, -LIMIT, LIMIT).astype(np.float32, copy=False)
    if needs_float64(offset, span):
        x = x.astype(np.float64)
    with np.errstate(over="ignore"):
        scaled = (x - offset.astype(x.dtype)) / np.where(span == 0, 1, span).astype(x.dtype)
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32, copy=False)


def unscale(x, offset, span):
    """The way back: a feature that was constant comes back as that constant.

    Returns:
        float32, or float64 where `needs_float64` says that float32 cannot hold the values.
    """
    if offset is None:
        return x
    values = x * span + offset
    return values if needs_float64(offset, span) else values.astype(np.float32)


def needs_float64(offset, span):
    """Whether values of a learned offset and span are too large or too small for float32."""
    limits = np.finfo(np.float32)
    # Reconstructions and new samples lie some spans beyond the training data.
    largest = np.max(np.abs(offset) / 16 + np.abs(span) / 16)
    smallest = np.min(span, where=span > 0, initial=np.inf)
    return bool(largest > limits.max / 16**3 or smallest < limits.tiny)
