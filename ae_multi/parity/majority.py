"""Detection of a diverging backend that computed the float64 reference itself.

Float64 removes the rounding errors of a backend, but not its other differences. If the other
backends agree with each other and differ from the reference, the reference's backend diverges.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.parity.bounds import MEASURED
from ae_multi.parity.divergence import Divergence


def blame_reference(
    divergence: Divergence,
    values: Mapping[str, np.ndarray],
    backend: str | None,
    scale: float | np.ndarray,
    bound: Mapping[str, float],
    allowed_gap: ArrayLike = 0.0,
) -> Divergence:
    """Attribute a divergence to the reference's backend if all other backends agree.

    Args:
        divergence: errors against the reference.
        values: dict of backend to array.
        backend: backend that computed the reference, or None if unknown.
        scale: divisor of the errors: a number, or an array of the shape of the values.
        bound: dict of backend to the allowed error, without the amount that depends on the errors
            of the other backends.
        allowed_gap: allowed difference of each value between two backends: an array of the shape of
            the values, or a number.

    Returns:
        ``divergence`` itself, or a divergence whose errors are distances from one of the other
        backends.
    """
    trained = [b for b in divergence.error if b != backend and b not in FORWARD_ONLY]
    if backend is None or backend not in values or not trained:
        return divergence
    allowed = max(bound[b] for b in trained)
    if not set(trained) <= set(divergence.diverging):
        if backend in divergence.error:
            return divergence
        # In the stage "float64", the errors of the other backends may have raised each other's
        # bounds, so that they do not diverge.
        allowed *= MEASURED
    distance = _distances(values, scale, allowed_gap)
    forward_only = [b for b in divergence.remarks if b != backend]
    # For each backend as a centre, the backends whose distance from it is within their bounds. The
    # largest group is used.
    groups = {
        centre: [
            b for b in [*trained, *forward_only] if distance(centre, b) <= bound[centre] + bound[b]
        ]
        for centre in trained
    }
    centre = max(trained, key=lambda b: (len(groups[b]), -max(distance(b, c) for c in trained)))
    group = groups[centre]
    if len(group) < 2 or not set(trained) <= set(group):
        return divergence
    if min(distance(b, backend) for b in group) <= allowed:
        return divergence
    return replace(
        divergence,
        error={b: distance(centre, b) for b in values},
        bound={b: bound[centre] + bound[b] if b in group else allowed for b in values},
        diverging=(backend,),
        remarks=tuple(b for b in values if b in FORWARD_ONLY and b not in group),
        source={b: divergence.source.get(b, divergence.source[centre]) for b in values},
        at={b: _farthest(values[b], values[centre]) for b in values},
        reference=centre,
    )


def _distances(
    values: Mapping[str, np.ndarray], scale: float | np.ndarray, allowed_gap: ArrayLike
) -> Callable[[str, str], float]:
    """Return a function of two backends to the largest relative difference of their values."""

    def distance(one: str, other: str) -> float:
        with np.errstate(invalid="ignore"):  # infinity minus infinity
            gaps = np.abs(values[one].astype(np.float64) - values[other].astype(np.float64))
            gaps = np.maximum(gaps - allowed_gap, 0.0)
        largest = float(np.max(gaps / scale, initial=0.0))
        return largest if np.isfinite(largest) else np.inf

    return distance


def _farthest(values: np.ndarray, right: np.ndarray) -> tuple[Any, Any]:
    """Return the value that differs most and its counterpart in ``right``."""
    if not values.size:
        return (0.0, 0.0)
    place = np.argmax(np.abs(values.astype(np.float64) - right.astype(np.float64)))
    return values.flat[place].item(), right.flat[place].item()
