"""Samples of large arrays, so that trace files are small.

An array of more than `MAX_UNSAMPLED_SIZE` values is replaced by its values at fixed positions,
followed by its largest absolute value and its mean. The positions are a function of the seed and
the size, the same in every trace. The two statistics differ by at most the largest error of the
array, so they are compared like its values. An error at other positions is found only if it changes
one of them.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi.parity.bounds import largest, largest_error
from ae_multi.parity.conditioning import PerturbedReference
from ae_multi.parity.equality import integer_error, is_integral
from ae_multi.parity.trace import Trace
from ae_multi.randomness.streams import stream

# A change of either needs a new format number of the files in `ae_multi.parity.trace_file`.
MAX_UNSAMPLED_SIZE = 1024
POSITIONS = 1024


def reduce_trace(trace: Trace, perturbed: Sequence[Trace] = ()) -> Trace:
    """Return a trace whose large arrays are samples.

    Args:
        trace: a float32 trace, or the float64 reference.
        perturbed: perturbed traces of the reference. Only their distance from the reference, for a
            perturbation of the size of float32 rounding, is stored, as ``moved`` of each entry.
    """
    stages: dict[str, list[dict[str, Any]]] = {}
    reference = PerturbedReference(trace, perturbed)
    for stage, entries in trace.stages.items():
        stages[stage] = []
        for place, entry in enumerate(entries):
            more: dict[str, Any] = {}
            if runs := reference.moves(stage, place):
                more["moved"] = _moved(reference, stage, place, runs)
            if stage == "one step":
                before = trace.stages["start"][place]["values"]
                more["step"] = step_size(before, entry["values"])
            stages[stage].append({**_reduced(entry, int(trace.about["seed"])), **more})
    return Trace(trace.about, stages)


def step_size(before: np.ndarray, after: np.ndarray) -> float:
    """Return the largest absolute change of a weight; its dtype may be boolean or integer."""
    return largest(np.asarray(after, np.float64) - np.asarray(before, np.float64))


def positions(seed: int, size: int) -> np.ndarray:
    """Return the indices at which a flat array of ``size`` values is sampled: int64, ascending."""
    bits = stream(seed, f"sample/{size}").random_raw(POSITIONS)
    return np.unique(bits % np.uint64(size)).astype(np.int64)


def is_sampled(entry: Mapping[str, Any]) -> bool:
    """Return whether the values of an entry are samples of a larger array."""
    return "sha256" in entry


def _reduced(entry: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Return an entry whose values are a sample if there are more than `MAX_UNSAMPLED_SIZE`."""
    values = np.asarray(entry["values"])
    if values.size <= MAX_UNSAMPLED_SIZE:
        return dict(entry)
    sample = values.ravel()[positions(seed, values.size)]
    # With ``each``, every error is relative to its exact value, so the statistics of the array
    # cannot be compared like its values.
    if not is_integral(values) and not entry.get("each", False):
        with np.errstate(invalid="ignore", over="ignore"):
            statistics = [largest(values), np.mean(values, dtype=np.float64)]
            sample = np.concatenate([sample, np.asarray(statistics, values.dtype)])
    return {
        **entry,
        "values": sample,
        "shape": list(values.shape),
        "sha256": _digest(values),
    }


def _digest(values: np.ndarray) -> str:
    """Return the SHA-256 of an array; it does not depend on the width of an integer type."""
    kind = "integers" if is_integral(values) else str(values.dtype)
    content = np.ascontiguousarray(values.astype(np.int64) if is_integral(values) else values)
    return hashlib.sha256(kind.encode() + content.tobytes()).hexdigest()


def _moved(
    reference: PerturbedReference,
    stage: str,
    place: int,
    runs: Sequence[tuple[float, np.ndarray]],
) -> float:
    """Return the distance of the perturbed runs from the reference at one place.

    The distance is relative for integers and for entries with ``each``, otherwise absolute.
    """
    entry = reference.oracle.stages[stage][place]
    exact, each = entry["values"], entry.get("each", False)
    if is_integral(exact) and all(is_integral(values) for _, values in runs):
        return max(integer_error(values, exact)[0] for _, values in runs)
    scale = largest(exact) or 1.0 if each else 1.0
    allowed = reference.allowed(stage, place)
    moves = [
        (factor, largest_error(values, exact, scale, each, allowed)[0]) for factor, values in runs
    ]
    return reference.distance(stage, moves, exact.size)
