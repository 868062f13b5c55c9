"""Comparison of values that must be equal: bits of floating-point numbers, values of integers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def is_integral(array: np.ndarray) -> bool:
    """Return whether an array contains integers or booleans."""
    return array.dtype.kind in "iub"


def equal_bits(
    values: Mapping[str, np.ndarray],
    exact: np.ndarray,
    digests: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the errors and bounds of a `Divergence` whose values must be equal bit for bit.

    The values of the largest group of equal backends are the reference; of groups of the same
    size, those closest to the oracle. Integers are compared by value, not by the width of their
    type.

    Args:
        values: dict of backend to array.
        exact: array of the oracle.
        digests: dict of backend to the digest of the array from which ``values`` are samples; None
            or empty if the arrays are not sampled.

    Returns:
        Dict of ``error``, ``bound``, ``source``, ``scale``, ``measure`` and ``at``.
    """
    integers = all(map(is_integral, values.values()))
    bits: dict[str, Any] = {
        b: (None, a.astype(np.int64).tobytes()) if integers else (a.dtype, a.tobytes())
        for b, a in values.items()
    }
    if digests:
        same_values = bits
        bits = {b: (*both, digests[b]) for b, both in bits.items()}

    def rank(backend: str) -> tuple[int, float]:
        gap = np.sum(np.abs(values[backend].astype(np.float64) - exact))
        return list(bits.values()).count(bits[backend]), -gap

    reference = max(values, key=rank)
    right = values[reference]
    error: dict[str, float] = {}
    at: dict[str, Any] = {}
    for backend, array in values.items():
        if bits[backend] == bits[reference]:
            error[backend] = 0.0
        elif digests and same_values[backend] == same_values[reference]:
            # The samples are equal, but other values of the array are not.
            error[backend] = 2.0**-149
            at[backend] = tuple(f"SHA-256 {digests[b][:12]}…" for b in (backend, reference))
        elif integers:
            error[backend], at[backend] = integer_error(array, right)
        else:
            gaps = np.abs(array.astype(np.float64) - right.astype(np.float64))
            error[backend] = max(float(np.max(gaps, initial=0.0)) / _size(right), 2.0**-149)
            at[backend] = _where(array, right, gaps)
    return _divergence(error, dict.fromkeys(error, 0.0), at, right, "" if integers else None)


def equal_integers(
    values: Mapping[str, np.ndarray],
    exact: np.ndarray,
    moves: Sequence[np.ndarray],
    moved: float = 0.0,
) -> dict[str, Any]:
    """Return the errors and bounds of a `Divergence` of integers.

    The bound is the largest difference between the oracle and the perturbed oracles, usually 0.

    Args:
        values: dict of backend to array.
        exact: array of the oracle.
        moves: arrays of the perturbed oracles.
        moved: largest difference of perturbed oracles that are not among ``moves``, such as the
            one that a trace file contains.

    Returns:
        The same dict as `equal_bits`.
    """
    moved = max([moved, *(integer_error(array, exact)[0] for array in moves)])
    errors = {backend: integer_error(array, exact) for backend, array in values.items()}
    error = {backend: result[0] for backend, result in errors.items()}
    at = {backend: result[1] for backend, result in errors.items()}
    return _divergence(error, dict.fromkeys(error, moved), at, exact, "")


def _divergence(
    error: dict[str, float],
    bound: dict[str, float],
    at: dict[str, Any],
    right: np.ndarray,
    measure: str | None,
) -> dict[str, Any]:
    return {
        "error": error,
        "bound": bound,
        "source": dict.fromkeys(error, "bits"),
        "scale": _size(right),
        "measure": "largest value" if measure is None else measure,
        "at": at,
    }


def _where(array: np.ndarray, right: np.ndarray, gaps: np.ndarray) -> tuple[Any, Any]:
    """Return the two values that differ most, or the names of the two types if they differ."""
    if array.dtype != right.dtype:
        return f"numbers of type {array.dtype}", str(right.dtype)
    place = np.argmax(gaps)
    return array.flat[place].item(), right.flat[place].item()


def integer_error(array: np.ndarray, right: np.ndarray) -> tuple[float, tuple[int, int]]:
    """Return (largest difference over the largest value of ``right``, the two integers there)."""
    differ = array != right
    # Python integers do not overflow in a difference.
    pairs = zip(array[differ].tolist(), right[differ].tolist(), strict=True)
    first, second = max(pairs, key=lambda pair: abs(pair[0] - pair[1]), default=(0, 0))
    return abs(first - second) / _size(right), (first, second)


def _size(array: np.ndarray) -> float:
    return float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) or 1.0
