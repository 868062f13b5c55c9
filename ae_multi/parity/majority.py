"""Which backend is the odd one out where it is the one that computed the float64 reference.

Float64 takes rounding away, but not what a backend computes differently. Where the other backends
agree with each other and not with the reference, the reference's backend is the one that differs.
"""

from dataclasses import replace

import numpy as np

from ae_multi.parity.bounds import MEASURED
from ae_multi.selection import FORWARD_ONLY


def blame_reference(divergence, values, backend, scale, bound):
    """The divergence, blamed on the reference's backend where the others agree without it.

    Args:
        divergence: a `Divergence` of errors against the reference.
        values: dict of backend to array.
        backend: the one that computed the reference; None where that is not known.
        scale: what errors are relative to: a number, or an array like the values.
        bound: dict of backend to the error allowed, whatever the others are off by.

    Returns:
        The divergence as it is, or one whose errors are distances from one of the others.
    """
    trained = [b for b in divergence.error if b != backend and b not in FORWARD_ONLY]
    if backend is None or backend not in values or not trained:
        return divergence
    allowed = max(bound[b] for b in trained)
    if not set(trained) <= set(divergence.diverging):
        if backend in divergence.error:
            return divergence
        # In float64 the others have no measure but each other, and their bounds grew with that.
        allowed *= MEASURED
    distance = _distances(values, scale)
    forward_only = [b for b in divergence.remarks if b != backend]
    # The largest group of trained and forward-only backends: those within reach of its centre.
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


def _distances(values, scale):
    def distance(one, other):
        with np.errstate(invalid="ignore"):  # of two infinities
            gaps = np.abs(values[one].astype(np.float64) - values[other].astype(np.float64))
        found = float(np.max(gaps / scale, initial=0.0))
        return found if np.isfinite(found) else np.inf

    return distance


def _farthest(values, right):
    if not values.size:
        return (0.0, 0.0)
    place = np.argmax(np.abs(values.astype(np.float64) - right.astype(np.float64)))
    return values.flat[place].item(), right.flat[place].item()
