"""Compare traces stage by stage and report where they differ.

Each float32 trace is compared with the oracle: the float64 reference, a trace of the same steps in
float64. The allowed errors are the bounds of `ae_multi.parity.bounds`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.errors import InputError
from ae_multi.parity.bounds import (
    UNIT_ROUNDOFF,
    UNIT_ROUNDOFF_64,
    largest_error,
    prediction_interval,
    scale_of,
)
from ae_multi.parity.conditioning import PerturbedReference
from ae_multi.parity.divergence import Divergence, Stage
from ae_multi.parity.equality import equal_bits, equal_integers, is_integral
from ae_multi.parity.majority import blame_reference
from ae_multi.parity.rounding_comparison import RoundingComparison
from ae_multi.parity.sampling import is_sampled
from ae_multi.parity.trace import Trace

# Stage of a trace: what is compared in it.
STAGES = {
    "start": "initial weights, bit for bit",
    "order": "indices of the samples in each batch",
    "noise": "random bits that layers draw in training, bit for bit",
    "forward": "each layer's output in inference mode",
    "training forward": "each layer's output in training mode",
    "gradient": "loss of the first batch and its gradient for each weight",
    "one step": "weights after one step",
    "losses": "loss of each of the first steps",
    "epoch": "an epoch of SGD with momentum: loss of each step, running loss, and the error of "
    "each test sample",
    "training": "test error after a training with the model's own optimizer, compared with the "
    "spread that rounding causes",
    "plans": "weights after one step, loss of each step and the epoch, with every plan of a "
    "backend",
    "float64": "all stages except the training, in true float64 on every backend",
}
_BITWISE = ("start", "order", "noise")
_STEPS = ("losses", "epoch")
_BY_PLAN = ("one step", "losses", "epoch")
_IN_FLOAT64 = ("forward", "training forward", "gradient", "one step", "losses", "epoch")


def compare_traces(
    traces: Mapping[str, Trace],
    oracle: Trace,
    perturbed: Sequence[Trace] = (),
    exact: Mapping[str, Trace] | None = None,
    ulp_perturbed: Sequence[Trace] = (),
    plans: Mapping[str, Trace] | None = None,
) -> list[Stage]:
    """Compare traces of one model on several backends.

    Args:
        traces: dict of backend to float32 trace.
        oracle: the float64 trace.
        perturbed: traces of the oracle, perturbed like float32 rounding.
        exact: dict of backend to float64 trace, for backends other than the oracle's; or None if
            no float64 traces are compared.
        ulp_perturbed: float32 traces of trainings that are perturbed by rounding.
        plans: dict of "backend plan" to float32 trace if plans are compared, or None.

    Returns:
        One `Stage` for each stage that the oracle has, then "training", "plans" and "float64" if
        their traces are given.

    Raises:
        InputError: the traces belong to different models, data or seeds, or their stages have
            different entries.
    """
    _check_comparable({**traces, "the float64 reference": oracle})
    reference = PerturbedReference(oracle, perturbed)
    roundoff = max(trace.about.get("roundoff", UNIT_ROUNDOFF) for trace in traces.values())
    compared = [
        _compare_stage(stage, traces, reference, roundoff)
        for stage in STAGES
        if stage in oracle.stages and stage != "training" and oracle.stages[stage]
    ]
    if ulp_perturbed:
        compared.append(_training({**traces, **(plans or {})}, ulp_perturbed))
    if plans:
        names = [stage for stage in _BY_PLAN if stage in oracle.stages]
        # A plan may sum the loss of a batch term by term.
        terms = oracle.values("training forward")[-1].size
        by_plan = [
            _compare_stage(s, plans, reference, roundoff, "plans", terms if s in _STEPS else 0)
            for s in names
        ]
        compared.append(Stage("plans", [entry for stage in by_plan for entry in stage.entries]))
    if exact:
        _check_comparable({**exact, "the float64 reference": oracle})
        compared.append(_float64(exact, reference))
    return compared


def _compare_stage(
    stage: str,
    traces: Mapping[str, Trace],
    reference: PerturbedReference,
    roundoff: float,
    name: str | None = None,
    extra_terms: float = 0,
) -> Stage:
    """Compare one stage of several traces with the oracle.

    Args:
        stage: a key of `STAGES`.
        traces: dict of backend to trace.
        reference: the oracle and its perturbed runs.
        roundoff: unit roundoff of the traces.
        name: name of the resulting stage, or None for ``stage``.
        extra_terms: number of terms to add to every entry's terms.
    """
    entries = {b: trace.stages[stage] for b, trace in traces.items() if stage in trace.stages}
    rounding = RoundingComparison(stage, reference, roundoff, list(entries), extra_terms)
    compared = []
    for place, exact in enumerate(reference.oracle.stages[stage]):
        values = {backend: items[place]["values"] for backend, items in entries.items()}
        moves = reference.moves(stage, place)
        if stage in _BITWISE:
            digests = {
                backend: items[place]["sha256"]
                for backend, items in entries.items()
                if is_sampled(items[place])
            }
            part = equal_bits(values, exact["values"], digests)
        elif all(map(is_integral, [exact["values"], *values.values()])):
            arrays = [array for _, array in moves]
            part = equal_integers(values, exact["values"], arrays, exact.get("moved", 0.0))
        else:
            part = rounding.compare(place, exact, values, moves)
        label = exact["name"] if name is None else f"{stage}: {exact['name']}"
        shape = _shape(exact)
        entry = Divergence(
            name or stage, place, label, exact["layer"], shape, **_with_verdict(part)
        )
        compared.append(rounding.attribute(entry, exact, values))
    return Stage(name or stage, compared)


def _with_verdict(part: dict[str, Any]) -> dict[str, Any]:
    """Add the backends that exceed their bounds to ``part``, a dict of errors and bounds."""
    beyond = [b for b, error in part["error"].items() if not error <= part["bound"][b]]
    return {
        **part,
        "diverging": tuple(b for b in beyond if b not in FORWARD_ONLY),
        "remarks": tuple(b for b in beyond if b in FORWARD_ONLY),
    }


def _float64(exact: Mapping[str, Trace], reference: PerturbedReference) -> Stage:
    """Compare the float64 traces with the oracle, with the unit roundoff 2⁻⁵³."""
    names = [stage for stage in _IN_FLOAT64 if stage in reference.oracle.stages]
    stages = [_compare_stage(s, exact, reference, UNIT_ROUNDOFF_64, "float64") for s in names]
    return Stage("float64", [entry for stage in stages for entry in stage.entries])


def _training(traces: Mapping[str, Trace], ulp_perturbed: Sequence[Trace]) -> Stage:
    """Compare the test errors of trainings with those of trainings perturbed by rounding."""
    tests = {b: t.stages["training"][-1] for b, t in traces.items() if "training" in t.stages}
    runs = [float(trace.stages["training"][-1]["values"]) for trace in ulp_perturbed]
    mean, allowed = prediction_interval(runs)
    name, (scale, _) = next(iter(tests.values()))["name"], scale_of(mean)
    errors = {
        backend: largest_error(test["values"], mean, scale) for backend, test in tests.items()
    }
    error = {backend: result[0] for backend, result in errors.items()}
    part = {
        "error": error,
        "bound": dict.fromkeys(error, allowed),
        "source": dict.fromkeys(error, "spread"),
        "scale": scale,
        "measure": "mean of the perturbed trainings",
        "at": {backend: result[1:] for backend, result in errors.items()},
    }
    entry = Divergence("training", 0, name, "", (), **_with_verdict(part))
    values = {b: np.asarray(test["values"]) for b, test in tests.items()}
    backend = ulp_perturbed[0].name
    return Stage("training", [blame_reference(entry, values, backend, scale, entry.bound)])


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape of an entry's array; that of the unsampled array if it is a sample."""
    return tuple(entry.get("shape", np.shape(entry["values"])))


def _check_comparable(traces: Mapping[str, Trace]) -> None:
    """Raise `InputError` unless the traces have the same model, data, seed and entries."""
    names = list(traces)
    first = traces[names[0]]
    for name in names[1:]:
        other = traces[name]
        for what in ("model", "data", "seed"):
            if other.about[what] != first.about[what]:
                raise InputError(
                    f"Expected traces of the same {what}. Received: another {what} from {name} "
                    f"than from {names[0]}."
                )
        for stage in STAGES:
            if stage == "training":  # only its last entry is compared
                continue
            shapes = [
                [
                    (_shape(entry), np.shape(entry["values"]))
                    for entry in trace.stages.get(stage, [])
                ]
                for trace in (first, other)
            ]
            forward_only = any(t.about.get("forward_only") for t in (first, other))
            if shapes[0] != shapes[1] and not (forward_only and [] in shapes):
                raise InputError(
                    f"Expected traces with the same {stage} entries. Received: {len(shapes[1])} "
                    f"entries from {name}, {len(shapes[0])} from {names[0]}, or other shapes."
                )
