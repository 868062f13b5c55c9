"""Compare traces stage by stage, and report where they differ.

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
    largest,
    largest_error,
    prediction_interval,
    scale_of,
    terms_forward,
    terms_of_a_step,
)
from ae_multi.parity.divergence import Divergence, Stage
from ae_multi.parity.equality import equal_bits, equal_integers, is_whole
from ae_multi.parity.majority import blame_reference
from ae_multi.selection import FORWARD_ONLY

# Stage of a trace: what is compared in it.
STAGES = {
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
_FORWARD = ("forward", "training forward")
_STEPS = ("losses", "epoch")
_BY_PLAN = ("one step", "losses", "epoch")
_IN_FLOAT64 = ("forward", "training forward", "gradient", "one step", "losses", "epoch")


def compare_traces(traces, oracle, perturbed=(), exact=None, ulp_perturbed=(), plans=None):
    """Compare traces of one model on several backends.

    Args:
        traces: dict of backend to float32 `Trace`.
        oracle: the float64 `Trace`.
        perturbed: list of `Trace`, the oracle perturbed as float32 rounding would perturb it.
        exact: dict of backend to float64 `Trace`, of the backends other than the oracle's.
        ulp_perturbed: list of float32 `Trace` of trainings that are perturbed by rounding.
        plans: dict of "backend plan" to float32 `Trace`, where plans are compared.

    Returns:
        List of `Stage`, one for each stage that the traces hold.

    Raises:
        InputError: traces of different models, data or seeds, or of other stages.
    """
    _check_comparable({**traces, "the oracle": oracle})
    compared = [
        _compare_stage(stage, traces, oracle, perturbed)
        for stage in STAGES
        if stage in oracle.stages and stage != "training" and oracle.stages[stage]
    ]
    if ulp_perturbed:
        compared.append(_training({**traces, **(plans or {})}, ulp_perturbed))
    if plans:
        names = [stage for stage in _BY_PLAN if stage in oracle.stages]
        # A plan may add up the loss of a batch term by term.
        terms = oracle.values("training forward")[-1].size
        by_plan = [
            _compare_stage(
                s, plans, oracle, perturbed, name="plans", more=terms if s in _STEPS else 0
            )
            for s in names
        ]
        compared.append(Stage("plans", [entry for stage in by_plan for entry in stage.entries]))
    if exact:
        _check_comparable({**exact, "the oracle": oracle})
        compared.append(_float64(exact, oracle, perturbed))
    return compared


def _compare_stage(stage, traces, oracle, perturbed, roundoff=UNIT_ROUNDOFF, name=None, more=0):
    entries = {b: trace.stages[stage] for b, trace in traces.items() if stage in trace.stages}
    rounded = _Rounded(stage, oracle, roundoff, list(entries), more)
    found = []
    for place, exact in enumerate(oracle.stages[stage]):
        values = {backend: items[place]["values"] for backend, items in entries.items()}
        moves = [trace.values(stage)[place] for trace in perturbed]
        if stage in _BITWISE:
            part = equal_bits(values, exact["values"])
        elif all(map(is_whole, [exact["values"], *values.values()])):
            part = equal_integers(values, exact["values"], moves)
        else:
            part = rounded.compare(place, exact, values, moves)
        label = exact["name"] if name is None else f"{stage}: {exact['name']}"
        shape = np.shape(exact["values"])
        entry = Divergence(
            name or stage, place, label, exact["layer"], shape, **_with_verdict(part)
        )
        found.append(rounded.blamed(entry, exact, values))
    return Stage(name or stage, found)


class _Rounded:
    """Compares the entries of one stage, in order, where rounding is allowed for."""

    def __init__(self, stage, oracle, roundoff, backends, more):
        self._stage, self._oracle, self._roundoff = stage, oracle, roundoff
        self._before, self._terms, self._moved = _terms_before(stage, oracle) + more, 0, 0.0
        # Layers pass on what the sums before them are off by.
        self._summed = 0.0 if stage in _FORWARD else _all_sums(oracle)
        self._worst = dict.fromkeys(backends, 0.0)
        # The stage's first entry is the loss; a gradient is measured beside other gradients.
        gradients = oracle.values(stage)[1:] if stage == "gradient" else []
        self._largest = max((largest(g) for g in gradients), default=0.0)
        self._alone = None
        # A weight that starts at 0 and has no gradient is measured beside the largest step.
        self._step = 0.0
        if stage == "one step":
            self._trained = {entry["name"] for entry in oracle.stages["gradient"][1:]}
            steps = [
                largest(after["values"] - before["values"])
                for before, after in zip(
                    oracle.stages["start"], oracle.stages["one step"], strict=True
                )
                if after["name"] in self._trained
            ]
            self._step = max(steps, default=0.0)

    def compare(self, place, exact, values, moves):
        """What a `Divergence` says of errors and bounds at one place, as a dict."""
        stage, each = self._stage, exact.get("each", False)
        terms = exact["terms"] + self._before + self._terms
        own = exact.get("scale", 0.0)
        if stage == "one step":
            own = max(own, largest(self._oracle.values("start")[place]))
        beside = max(self._largest, own)
        if stage == "one step" and exact["name"] in self._trained:
            beside = max(beside, self._step)
        lost = REASONED * self._roundoff * terms**0.5
        scale, is_beside = scale_of(exact["values"], beside, lost)
        measure = "exact value" if each else "largest value"
        if is_beside:
            other = "largest step" if stage == "one step" else "largest gradient"
            measure = "size of its terms" if own >= beside else other
        off = {b: largest_error(v, exact["values"], scale, each) for b, v in values.items()}
        error = {backend: found[0] for backend, found in off.items()}
        moved = [largest_error(array, exact["values"], scale, each)[0] for array in moves]
        if stage in _STEPS and not each:
            # One number may be right by luck; what was seen before it counts too.
            self._worst = error = {b: max(error[b], self._worst[b]) for b in error}
            moved = [*moved, self._moved]
        self._moved = max(moved, default=0.0)
        adam = _optimizer_error(stage, place, self._oracle, len(error), scale)
        summed = self._summed + exact.get("summation", 0.0) / scale
        if stage in _FORWARD:
            self._terms, self._summed = terms, summed
        amounts = {
            "terms": terms,
            "moved": self._moved,
            "optimizer": adam * self._roundoff / UNIT_ROUNDOFF,
            "roundoff": self._roundoff,
            "summation": summed,
            "cancellation": own / scale,
        }
        bound, source = bounds(error, **amounts)
        self._alone = bounds(dict.fromkeys(error, 0.0), **amounts)[0]
        at = {backend: found[1:] for backend, found in off.items()}
        return {
            "error": error,
            "bound": bound,
            "source": source,
            "scale": scale,
            "measure": measure,
            "at": at,
        }

    def blamed(self, entry, exact, values):
        """The entry, blamed on the backend of the float64 reference if that is the odd one."""
        if set(entry.source.values()) <= {"bits"}:
            return entry
        backend = self._oracle.about.get("backend")
        scale = entry.scale
        if exact.get("each", False):
            scale = np.maximum(np.abs(exact["values"]), UNIT_ROUNDOFF * scale)
        # In float64 the reference's backend has no other trace than the oracle.
        everyone = {backend: exact["values"], **values}
        return blame_reference(entry, everyone, backend, scale, self._alone)


def _with_verdict(part):
    """The dict ``part`` of errors and bounds, with the backends that are beyond theirs."""
    beyond = [b for b, error in part["error"].items() if not error <= part["bound"][b]]
    return {
        **part,
        "diverging": tuple(b for b in beyond if b not in FORWARD_ONLY),
        "remarks": tuple(b for b in beyond if b in FORWARD_ONLY),
    }


def _all_sums(oracle):
    """What plain summation in all layers together may put an output off by."""
    return sum(
        entry.get("summation", 0.0) / scale_of(entry["values"])[0]
        for entry in oracle.stages["training forward"]
    )


def _terms_before(stage, oracle):
    """Terms that went into a stage's values before its first entry."""
    if stage in ("gradient", "one step", "losses"):
        return terms_of_a_step(oracle.stages)
    # What the steps of an epoch add up to is told by the perturbed oracles, not by counting.
    return terms_forward(oracle.stages) if stage == "epoch" else 0


def _float64(exact, oracle, perturbed):
    """Every stage once more, where rounding is 2⁻⁵³; errors are those against the oracle."""
    names = [stage for stage in _IN_FLOAT64 if stage in oracle.stages]
    stages = [
        _compare_stage(s, exact, oracle, perturbed, UNIT_ROUNDOFF_64, "float64") for s in names
    ]
    return Stage("float64", [entry for stage in stages for entry in stage.entries])


def _training(traces, ulp_perturbed):
    """Test errors of trainings, which may differ as far as those perturbed by rounding do."""
    tests = {b: t.stages["training"][-1] for b, t in traces.items() if "training" in t.stages}
    runs = [float(trace.stages["training"][-1]["values"]) for trace in ulp_perturbed]
    mean, allowed = prediction_interval(runs)
    name, (scale, _) = next(iter(tests.values()))["name"], scale_of(mean)
    off = {backend: largest_error(test["values"], mean, scale) for backend, test in tests.items()}
    error = {backend: found[0] for backend, found in off.items()}
    part = {
        "error": error,
        "bound": dict.fromkeys(error, allowed),
        "source": dict.fromkeys(error, "spread"),
        "scale": scale,
        "measure": "mean of the perturbed trainings",
        "at": {backend: found[1:] for backend, found in off.items()},
    }
    entry = Divergence("training", 0, name, "", (), **_with_verdict(part))
    values = {b: np.asarray(test["values"]) for b, test in tests.items()}
    backend = ulp_perturbed[0].about.get("backend")
    return Stage("training", [blame_reference(entry, values, backend, scale, entry.bound)])


def _optimizer_error(stage, place, oracle, backends, scale):
    """What Adam's bias correction in float32 may put a weight or loss off by.

    Of a weight only the first step is off by it. A loss shows it on all backends alike, so that
    the others tell how much it is where there are others.
    """
    error = oracle.about.get("optimizer_roundoff", 0.0)
    if stage == "one step":
        before, after = (oracle.values(name)[place] for name in ("start", "one step"))
        return error * largest(after - before) / scale
    return error if stage == "losses" and backends == 1 else 0.0


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
        for stage in STAGES:
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
