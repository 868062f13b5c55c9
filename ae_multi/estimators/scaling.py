"""Scaling of samples for a network, and its inverse."""

from typing import Any

import numpy as np

from ae_multi.errors import InputError

KINDS = ("minmax", "standard", None)
# Up to this power of two, squares and sums of many squares do not overflow float64.
_SAFE_EXPONENT = 400
# Scaled values are clipped to ±LIMIT: larger values carry no more information, and the square of
# LIMIT is within float32.
LIMIT = 1e6


# scikit-learn's scalers overflow where squares of values leave float64.
class Scaling:
    """Incremental computation of the offset and span of each feature.

    Args:
        kind: "minmax" (minimum and range), "standard" (mean and standard deviation), or None for
            no scaling.
        each: whether each feature has its own offset and span, as for the columns of a table; the
            pixels of an image share them.
    """

    def __init__(self, kind: str | None, each: bool) -> None:
        self.kind, self.each = kind, each
        self._count, self._low, self._high = 0, np.inf, -np.inf
        self._mean, self._squares = 0.0, 0.0
        self._shift: Any = 0

    def update(self, x: np.ndarray) -> None:
        r"""Add samples ``x``, finite floats of shape (n, \*sample shape)."""
        if self.kind is None:
            return
        axes = 0 if self.each else None
        self._low = np.minimum(self._low, x.min(axis=axes))
        self._high = np.maximum(self._high, x.max(axis=axes))
        if self.kind == "standard":
            # Chan, Golub & LeVeque, "Updating formulae", 1979: exact for any split into chunks.
            count = len(x) if self.each else x.size
            x = self._shifted(x)
            mean = x.mean(axis=axes, dtype=np.float64)
            squares = np.square(x - mean).sum(axis=axes, dtype=np.float64)
            total = self._count + count
            step = mean - self._mean
            self._squares = self._squares + squares + step**2 * (self._count * count / total)
            self._mean = self._mean + step * (count / total)
            self._count = total

    def _shifted(self, x: np.ndarray) -> np.ndarray:
        """Return ``x`` divided by powers of two if squares of its values would overflow."""
        largest = np.maximum(np.abs(self._low), np.abs(self._high)).astype(np.float64)
        exponent = np.frexp(largest)[1]
        shift = np.where(np.abs(exponent) > _SAFE_EXPONENT, exponent, 0)
        # Convert the statistics of earlier samples to the new unit.
        self._mean = np.ldexp(self._mean, self._shift - shift)
        self._squares = np.ldexp(self._squares, 2 * (self._shift - shift))
        self._shift = shift
        return np.ldexp(x.astype(np.float64), -shift) if shift.any() else x

    def learned(self) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Return (offset, span) as float64 arrays, or (None, None) without scaling.

        The span of a constant feature is 0.

        Raises:
            InputError: a feature whose range overflows float64.
        """
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
                "Expected features whose range, highest minus lowest value, is a float64. "
                f"Received: values from {low:g} to {high:g}{where}."
            )
        # Differences of this size are rounding, not variation.
        constant = span <= 10 * np.finfo(np.float64).eps * np.maximum(abs(low), abs(high))
        if self.kind == "standard":
            low = np.ldexp(self._mean, self._shift)
            span = np.ldexp(np.sqrt(self._squares / self._count), self._shift)
        return np.asarray(low), np.where(constant, 0.0, span)


def scale(x: np.ndarray, offset: Any, span: Any) -> np.ndarray:
    """Return (x - offset) / span as float32, clipped to ±`LIMIT`; a span of 0 counts as 1."""
    if offset is None:
        return np.clip(x, -LIMIT, LIMIT).astype(np.float32, copy=False)
    if needs_float64(offset, span):
        x = x.astype(np.float64)
    with np.errstate(over="ignore"):
        scaled = (x - offset.astype(x.dtype)) / np.where(span == 0, 1, span).astype(x.dtype)
    return np.clip(scaled, -LIMIT, LIMIT).astype(np.float32, copy=False)


def unscale(x: np.ndarray, offset: Any, span: Any) -> np.ndarray:
    """Return x * span + offset, the inverse of `scale`; constant features return their constant.

    Returns:
        Array of float32, or of float64 if `needs_float64`.
    """
    if offset is None:
        return x
    values = x * span + offset
    return values if needs_float64(offset, span) else values.astype(np.float32)


def needs_float64(offset: np.ndarray, span: np.ndarray) -> bool:
    """Return whether values with this offset and span are too large or too small for float32."""
    limits = np.finfo(np.float32)
    # Reconstructions and new samples can be several spans outside the training data.
    largest = np.max(np.abs(offset) / 16 + np.abs(span) / 16)
    smallest = np.min(span, where=span > 0, initial=np.inf)
    return bool(largest > limits.max / 16**3 or smallest < limits.tiny)
