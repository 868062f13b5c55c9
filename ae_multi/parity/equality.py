"""Compare what has to be equal: initial weights bit for bit, integers by their values."""

import numpy as np


def is_whole(array):
    """Whether an array holds integers or truth values."""
    return array.dtype.kind in "iub"


def equal_bits(values, exact):
    """What a `Divergence` says where nothing but equality will do.

    What most backends hold is right; where they are as many, it is what lies closest to the oracle.
    Integers are equal where their values are, whatever the width of their type.

    Args:
        values: dict of backend to array.
        exact: array, what the oracle holds.

    Returns:
        Dict of ``error``, ``bound``, ``source``, ``scale``, ``measure`` and ``at``.
    """
    whole = all(map(is_whole, values.values()))
    bits = {b: (a.dtype, (a.astype(np.int64) if whole else a).tobytes()) for b, a in values.items()}
    if whole:
        bits = {backend: held for backend, (_, held) in bits.items()}

    def trust(backend):
        gap = np.sum(np.abs(values[backend].astype(np.float64) - exact))
        return list(bits.values()).count(bits[backend]), -gap

    measure = max(values, key=trust)
    right = values[measure]
    error, at = {}, {}
    for backend, array in values.items():
        if bits[backend] == bits[measure]:
            error[backend] = 0.0
        elif whole:
            error[backend], at[backend] = _integer_error(array, right)
        else:
            gaps = np.abs(array.astype(np.float64) - right.astype(np.float64))
            error[backend] = max(float(np.max(gaps, initial=0.0)) / _size(right), 2.0**-149)
            at[backend] = _where(array, right, gaps)
    return _divergence(error, dict.fromkeys(error, 0.0), at, right, "" if whole else None)


def equal_integers(values, exact, moves):
    """What a `Divergence` says of integers: exact, but for what shaking moves.

    Args:
        values: dict of backend to array.
        exact: array, what the oracle holds.
        moves: list of arrays, what the perturbed oracles hold.

    Returns:
        As `equal_bits`.
    """
    moved = max((_integer_error(array, exact)[0] for array in moves), default=0.0)
    off = {backend: _integer_error(array, exact) for backend, array in values.items()}
    error = {backend: found[0] for backend, found in off.items()}
    at = {backend: found[1] for backend, found in off.items()}
    return _divergence(error, dict.fromkeys(error, moved), at, exact, "")


def _divergence(error, bound, at, right, measure):
    return {
        "error": error,
        "bound": bound,
        "source": dict.fromkeys(error, "bits"),
        "scale": _size(right),
        "measure": "largest value" if measure is None else measure,
        "at": at,
    }


def _where(array, right, gaps):
    """The two values that differ most, or the two types if it is they that differ."""
    if array.dtype != right.dtype:
        return f"numbers of type {array.dtype}", str(right.dtype)
    place = np.argmax(gaps)
    return array.flat[place].item(), right.flat[place].item()


def _integer_error(array, right):
    """(the largest difference over the largest of ``right``, the two integers that differ)."""
    differ = array != right
    # Python's integers have no width that a difference could leave.
    pairs = zip(array[differ].tolist(), right[differ].tolist(), strict=True)
    first, second = max(pairs, key=lambda pair: abs(pair[0] - pair[1]), default=(0, 0))
    return abs(first - second) / _size(right), (first, second)


def _size(array):
    return float(np.max(np.abs(array.astype(np.float64)), initial=0.0)) or 1.0
