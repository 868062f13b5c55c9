"""Inputs brought to the size that a network takes, and its outputs brought back."""

import numpy as np

from ae_multi.errors import InputError

KINDS = ("minmax", "standard", None)
# What lies farther than so many spans from the training data says no more by lying there, and
# its square should still be a float32.
LIMIT = 1e6


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
        self._mean, self._squares = 0.0, 0.0

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
            mean = x.mean(axis=axes, dtype=np.float64)
            squares = np.square(x - mean).sum(axis=axes, dtype=np.float64)
            total = self._count + count
            step = mean - self._mean
            self._squares = self._squares + squares + step**2 * (self._count * count / total)
            self._mean = self._mean + step * (count / total)
            self._count = total

    def learned(self):
        """(offset, span) as float64 arrays, span 0 where all values are the same; or two None."""
        if self.kind is None:
            return None, None
        low, high = np.float64(self._low), np.float64(self._high)
        with np.errstate(over="ignore"):
            span = high - low
        if not np.isfinite(span).all():
            raise InputError(
                "Expected features whose range is a float64. Received: values from "
                f"{np.min(low):g} to {np.max(high):g}."
            )
        # Differences of this size are rounding, not variation.
        constant = span <= 10 * np.finfo(np.float64).eps * np.maximum(abs(low), abs(high))
        if self.kind == "standard":
            low, span = self._mean, np.sqrt(self._squares / self._count)
        return np.asarray(low), np.where(constant, 0.0, span)


def scale(x, offset, span):
    """(x - offset) / span as float32, at most `LIMIT` from 0; a span of 0 divides by 1."""
    if offset is None:
        return np.clip(x, -LIMIT, LIMIT).astype(np.float32, copy=False)
    with np.errstate(over="ignore"):
        scaled = (x - offset.astype(x.dtype)) / np.where(span == 0, 1, span).astype(x.dtype)
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32, copy=False)


def unscale(x, offset, span):
    """The way back: a feature that was constant comes back as that constant."""
    if offset is None:
        return x
    return (x * span + offset).astype(np.float32)
