"""Compare traces, rung by rung, and say where they part.

Each float32 trace is held against a trace of the same steps in float64, the oracle; what it may
be off by is the matter of `ae_multi.parity.bounds`.
"""

import numpy as np

from ae_multi.errors import InputError
from ae_multi.parity.bounds import (
    REASONED,
    UNIT_ROUNDOFF,
    UNIT_ROUNDOFF_64,
    bounds,
    prediction_interval,
    relative_error,
    terms_forward,
    terms_of_a_step,
)
from ae_multi.parity.divergence import Divergence, Rung

# Stage of a trace: what its rung compares.
RUNGS = {
    "start": "initial weights, bit for bit",
    "order": "which samples make up each batch",
    "noise": "random bits that layers draw in training, bit for bit",
    "forward": "each layer's output, layers as in use",
    "training forward": "each layer's output, layers as in training",
    "gradient": "loss of the first batch and its gradient for each weight",
    "one step": "weights after one step",
    "losses": "loss of each of the first steps",
    "epoch": "a whole epoch of SGD with momentum: loss of each step, running loss, and the error "
    "of each test sample",
    "training": "test error after a training with the model's own optimizer, against the spread "
    "that rounding causes",
    "plans": "weights after one step, loss of each step and the epoch, by every plan of a backend",
    "float64": "all but the training in true float64 on every backend",
}
_BITWISE = ("start", "order", "noise")
_STEPS = ("losses", "epoch")
_BY_PLAN = ("one step", "losses", "epoch")
_IN_FLOAT64 = ("forward", "training forward", "gradient", "one step", "losses", "epoch")


def climb(traces, oracle, shaken=(), exact=None, nudged=(), plans=None):
    """Compare traces of one model on several backends.

    Args:
        traces: dict of backend to float32 `Trace`.
        oracle: the float64 `Trace`.
        shaken: list of `Trace`, the oracle shaken as float32 rounding would shake it.
        exact: dict of backend to float64 `Trace`, of the backends other than the oracle's.
        nudged: list of float32 `Trace` of trainings that are perturbed by rounding.
        plans: dict of "backend plan" to float32 `Trace`, where plans are compared.

    Returns:
        List of `Rung`, one for each stage that the traces hold.

    Raises:
        InputError: traces of different models, data or seeds, or of other stages.
    """
    _check_comparable({**traces, "the oracle": oracle})
    rungs = [
        _rung(stage, traces, oracle, shaken)
        for stage in RUNGS
        if stage in oracle.stages and stage != "training" and oracle.stages[stage]
    ]
    if nudged:
        rungs.append(_training({**traces, **(plans or {})}, nudged))
    if plans:
        stages = [stage for stage in _BY_PLAN if stage in oracle.stages]
        # A plan may add up the loss of a batch term by term.
        terms = oracle.values("training forward")[-1].size
        by_plan = [
            _rung(s, plans, oracle, shaken, name="plans", more=terms if s in _STEPS else 0)
            for s in stages
        ]
        rungs.append(Rung("plans", [entry for rung in by_plan for entry in rung.entries]))
    if exact:
        _check_comparable({**exact, "the oracle": oracle})
        rungs.append(_float64(exact, oracle, shaken))
    return rungs


def _rung(stage, traces, oracle, shaken, roundoff=UNIT_ROUNDOFF, name=None, more=0):
    entries = {b: trace.stages[stage] for b, trace in traces.items() if stage in trace.stages}
    found, terms, moved = [], 0, 0.0
    worst = dict.fromkeys(entries, 0.0)
    before = _terms_before(stage, oracle) + more
    # The stage's first entry is the loss; a gradient is measured beside other gradients.
    gradients = oracle.values(stage)[1:] if stage == "gradient" else []
    beside = max((float(np.max(np.abs(g), initial=0.0)) for g in gradients), default=0.0)
    for place, exact in enumerate(oracle.stages[stage]):
        values = {backend: items[place]["values"] for backend, items in entries.items()}
        if stage in _BITWISE:
            error, bound = _bitwise(values, exact["values"])
            source = dict.fromkeys(error, "bits")
        else:
            terms += exact["terms"]
            measure = {
                "each": exact.get("each", False),
                "beside": beside,
                "lost": REASONED * roundoff * (terms + before) ** 0.5,
            }
            error = {b: relative_error(v, exact["values"], **measure) for b, v in values.items()}
            moves = [
                relative_error(t.values(stage)[place], exact["values"], **measure) for t in shaken
            ]
            if stage in _STEPS and not exact.get("each"):
                # One number may be right by luck; what was seen before it counts too.
                worst = error = {b: max(error[b], worst[b]) for b in error}
                moves = [*moves, moved]
            moved = max(moves, default=0.0)
            adam = _optimizer_error(stage, place, oracle, len(error)) * roundoff / UNIT_ROUNDOFF
            bound, source = bounds(error, terms + before, moved, adam, roundoff)
        guilty = tuple(b for b in error if not error[b] <= bound[b])
        label = exact["name"] if name is None else f"{stage}: {exact['name']}"
        shape = np.shape(exact["values"])
        found.append(
            Divergence(
                name or stage, place, label, exact["layer"], shape, error, bound, guilty, source
            )
        )
    return Rung(name or stage, found)


def _terms_before(stage, oracle):
    """Terms that went into a stage's values before its first entry."""
    if stage in ("gradient", "one step", "losses"):
        return terms_of_a_step(oracle.stages)
    # What the steps of an epoch add up to is told by the shaken oracles, not by counting.
    return terms_forward(oracle.stages) if stage == "epoch" else 0


def _float64(exact, oracle, shaken):
    """Every stage once more, where rounding is 2⁻⁵³; errors are those against the oracle."""
    stages = [stage for stage in _IN_FLOAT64 if stage in oracle.stages]
    rungs = [_rung(s, exact, oracle, shaken, UNIT_ROUNDOFF_64, "float64") for s in stages]
    return Rung("float64", [entry for rung in rungs for entry in rung.entries])


def _training(traces, nudged):
    """Test errors of trainings, which may differ as far as those perturbed by rounding do."""
    tests = {b: t.stages["training"][-1] for b, t in traces.items() if "training" in t.stages}
    runs = [float(trace.stages["training"][-1]["values"]) for trace in nudged]
    mean, allowed = prediction_interval(runs)
    error = {backend: relative_error(test["values"], mean) for backend, test in tests.items()}
    bound = dict.fromkeys(error, allowed)
    guilty = tuple(b for b in error if not error[b] <= bound[b])
    name = next(iter(tests.values()))["name"]
    source = dict.fromkeys(error, "spread")
    return Rung("training", [Divergence("training", 0, name, "", (), error, bound, guilty, source)])


def _optimizer_error(stage, place, oracle, backends):
    """What Adam's bias correction in float32 may put a weight or loss off by.

    Of a weight only the first step is off by it. A loss shows it on all backends alike, so that
    the others tell how much it is where there are others.
    """
    error = oracle.about.get("optimizer_roundoff", 0.0)
    if stage == "one step":
        before, after = (oracle.values(name)[place] for name in ("start", "one step"))
        scale = float(np.max(np.abs(after), initial=0.0)) or 1.0
        return error * float(np.max(np.abs(after - before), initial=0.0)) / scale
    return error if stage == "losses" and backends == 1 else 0.0


def _bitwise(values, exact):
    """Errors and bounds where nothing but equality will do: what most backends hold is right.

    Where they are as many, it is what lies closest to the oracle.
    """
    bits = {backend: (array.dtype, array.tobytes()) for backend, array in values.items()}

    def trust(backend):
        gap = np.sum(np.abs(values[backend].astype(np.float64) - exact))
        return list(bits.values()).count(bits[backend]), -gap

    measure = max(values, key=trust)
    right = values[measure].astype(np.float64)
    scale = float(np.max(np.abs(right), initial=0.0)) or 1.0
    error = {}
    for backend, array in values.items():
        gap = float(np.max(np.abs(array.astype(np.float64) - right), initial=0.0))
        error[backend] = 0.0 if bits[backend] == bits[measure] else max(gap / scale, 2.0**-149)
    return error, dict.fromkeys(values, 0.0)


def _check_comparable(traces):
    names = list(traces)
    first = traces[names[0]]
    for name in names[1:]:
        other = traces[name]
        for what in ("model", "data", "seed"):
            if other.about[what] != first.about[what]:
                raise InputError(
                    f"Expected traces of one {what}. Received: another {what} from {name} than "
                    f"from {names[0]}."
                )
        for stage in RUNGS:
            if stage == "training":  # compared by its last entry alone
                continue
            shapes = [
                [np.shape(entry["values"]) for entry in trace.stages.get(stage, [])]
                for trace in (first, other)
            ]
            forward_only = any(t.about.get("forward_only") for t in (first, other))
            if shapes[0] != shapes[1] and not (forward_only and [] in shapes):
                raise InputError(
                    f"Expected traces that hold the same {stage}. Received: {len(shapes[1])} "
                    f"entries from {name}, {len(shapes[0])} from {names[0]}, or of other shapes."
                )
