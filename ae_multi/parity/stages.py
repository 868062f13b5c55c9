"""Compare traces stage by stage and report where they differ.

Each float32 trace is compared with the oracle, a trace of the same steps in float64. The allowed
errors are the bounds of `ae_multi.parity.bounds`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi.backend_selection import FORWARD_ONLY
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
from ae_multi.parity.conditioning import PerturbedReference
from ae_multi.parity.divergence import Divergence, Stage
from ae_multi.parity.equality import equal_bits, equal_integers, is_whole
from ae_multi.parity.majority import blame_reference
from ae_multi.parity.sampling import is_sampled, step_size
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
_FORWARD = ("forward", "training forward")
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
        exact: dict of backend to float64 trace, for backends other than the oracle's; or None.
        ulp_perturbed: float32 traces of trainings that are perturbed by rounding.
        plans: dict of "backend plan" to float32 trace if plans are compared, or None.

    Returns:
        One `Stage` for each stage of the traces.

    Raises:
        InputError: the traces belong to different models, data or seeds, or have different
            stages.
    """
    _check_comparable({**traces, "the oracle": oracle})
    reference = PerturbedReference(oracle, perturbed)
    compared = [
        _compare_stage(stage, traces, reference)
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
            _compare_stage(s, plans, reference, name="plans", more=terms if s in _STEPS else 0)
            for s in names
        ]
        compared.append(Stage("plans", [entry for stage in by_plan for entry in stage.entries]))
    if exact:
        _check_comparable({**exact, "the oracle": oracle})
        compared.append(_float64(exact, reference))
    return compared


def gradient_bounds(reference: PerturbedReference) -> list[float]:
    """Return the absolute bound of each gradient of the first batch, without that of the loss."""
    rounding = _RoundingComparison("gradient", reference, UNIT_ROUNDOFF, ["oracle"], 0)
    found = []
    for place, exact in enumerate(reference.oracle.stages["gradient"]):
        moves = reference.moves("gradient", place)
        part = rounding.compare(place, exact, {"oracle": exact["values"]}, moves)
        found.append(part["bound"]["oracle"] * part["scale"])
    return found[1:]


def _compare_stage(
    stage: str,
    traces: Mapping[str, Trace],
    reference: PerturbedReference,
    roundoff: float = UNIT_ROUNDOFF,
    name: str | None = None,
    more: float = 0,
) -> Stage:
    """Compare one stage of several traces with the oracle.

    Args:
        stage: a key of `STAGES`.
        traces: dict of backend to trace.
        reference: the oracle and its perturbed runs.
        roundoff: unit roundoff of the traces.
        name: name of the resulting stage, or None for ``stage``.
        more: number of terms to add to every entry's terms.
    """
    entries = {b: trace.stages[stage] for b, trace in traces.items() if stage in trace.stages}
    rounding = _RoundingComparison(stage, reference, roundoff, list(entries), more)
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
        elif all(map(is_whole, [exact["values"], *values.values()])):
            arrays = [array for _, array in moves]
            part = equal_integers(values, exact["values"], arrays, exact.get("moved", 0.0))
        else:
            part = rounding.compare(place, exact, values, moves)
        label = exact["name"] if name is None else f"{stage}: {exact['name']}"
        shape = _shape(exact)
        entry = Divergence(
            name or stage, place, label, exact["layer"], shape, **_with_verdict(part)
        )
        compared.append(rounding.blamed(entry, exact, values))
    return Stage(name or stage, compared)


class _RoundingComparison:
    """Comparison of the entries of one stage, in order, with bounds for rounding errors."""

    def __init__(
        self,
        stage: str,
        reference: PerturbedReference,
        roundoff: float,
        backends: Sequence[str],
        more: float,
    ) -> None:
        oracle = reference.oracle
        self._reference = reference
        # Error of each value of the last entry that does not count.
        self._allowed = np.zeros(())
        self._stage, self._oracle, self._roundoff = stage, oracle, roundoff
        self._before = _terms_before(stage, oracle) + more
        self._terms: float = 0
        self._moved = 0.0
        # Layers pass on the summation errors of the layers before them.
        self._summed = 0.0 if stage in _FORWARD else _all_sums(oracle)
        self._worst = dict.fromkeys(backends, 0.0)
        # The stage's first entry is the loss. A small gradient is scaled by the largest gradient.
        gradients = oracle.values(stage)[1:] if stage == "gradient" else []
        self._largest = max((largest(g) for g in gradients), default=0.0)
        # Bounds of the last entry without the amount that depends on other backends' errors.
        self._independent_bounds: dict[str, float] = {}
        # A weight that starts at 0 and has no gradient is scaled by the largest step of a weight.
        self._step = 0.0
        if stage == "one step":
            self._trained = {entry["name"] for entry in oracle.stages["gradient"][1:]}
            steps = [
                _step_of(oracle, place)
                for place, after in enumerate(oracle.stages["one step"])
                if after["name"] in self._trained
            ]
            self._step = max(steps, default=0.0)

    def compare(
        self,
        place: int,
        exact: Mapping[str, Any],
        values: Mapping[str, np.ndarray],
        moves: Sequence[tuple[float, np.ndarray]],
    ) -> dict[str, Any]:
        """Return the errors and bounds of a `Divergence` at one place.

        Args:
            place: position of the entry in its stage.
            exact: the oracle's entry.
            values: dict of backend to array.
            moves: (size of the perturbation, array) of each perturbed oracle.
        """
        stage, each = self._stage, exact.get("each", False)
        allowed = self._reference.allowed(stage, place) * self._roundoff / UNIT_ROUNDOFF
        self._allowed = allowed
        terms = exact["terms"] + self._before + self._terms
        size = exact.get("scale", 0.0)
        if stage == "one step":
            size = max(size, largest(self._oracle.values("start")[place]))
        beside = max(self._largest, size)
        if stage == "one step" and exact["name"] in self._trained:
            beside = max(beside, self._step)
        lost = REASONED * self._roundoff * terms**0.5
        scale, is_beside = scale_of(exact["values"], beside, lost)
        measure = "exact value" if each else "largest value"
        if is_beside:
            other = "largest step" if stage == "one step" else "largest gradient"
            measure = "size of its terms" if size >= beside else other
        errors = {
            b: largest_error(v, exact["values"], scale, each, allowed) for b, v in values.items()
        }
        error = {backend: result[0] for backend, result in errors.items()}
        distances = [
            (factor, largest_error(array, exact["values"], scale, each, allowed)[0])
            for factor, array in moves
        ]
        moved = [self._reference.distance(stage, distances, exact["values"].size)]
        if "moved" in exact:
            moved.append(exact["moved"] / (1.0 if each else scale))
        if stage in _STEPS and not each:
            # The error of a single number may be small by chance; keep the largest one so far.
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
            "cancellation": size / scale,
        }
        bound, source = bounds(error, **amounts)
        self._independent_bounds = bounds(dict.fromkeys(error, 0.0), **amounts)[0]
        at = {backend: result[1:] for backend, result in errors.items()}
        return {
            "error": error,
            "bound": bound,
            "source": source,
            "scale": scale,
            "measure": measure,
            "at": at,
        }

    def blamed(
        self, entry: Divergence, exact: Mapping[str, Any], values: Mapping[str, np.ndarray]
    ) -> Divergence:
        """Attribute ``entry`` to the backend of the float64 reference if only that one differs."""
        if set(entry.source.values()) <= {"bits"}:
            return entry
        backend = self._oracle.name
        scale: Any = entry.scale
        if exact.get("each", False):
            scale = np.maximum(np.abs(exact["values"]), UNIT_ROUNDOFF * scale)
        # In float64 the only trace of the reference's backend is the oracle.
        all_values: dict[Any, Any] = {backend: exact["values"], **values}
        return blame_reference(
            entry, all_values, backend, scale, self._independent_bounds, 2 * self._allowed
        )


def _with_verdict(part: dict[str, Any]) -> dict[str, Any]:
    """Return ``part``, errors and bounds, with the backends that exceed their bounds."""
    beyond = [b for b, error in part["error"].items() if not error <= part["bound"][b]]
    return {
        **part,
        "diverging": tuple(b for b in beyond if b not in FORWARD_ONLY),
        "remarks": tuple(b for b in beyond if b in FORWARD_ONLY),
    }


def _all_sums(oracle: Trace) -> float:
    """Return the relative error of an output from plain summation in all layers."""
    return sum(
        entry.get("summation", 0.0) / scale_of(entry["values"])[0]
        for entry in oracle.stages["training forward"]
    )


def _terms_before(stage: str, oracle: Trace) -> float:
    """Return the number of terms that enter a stage's values before its first entry."""
    if stage in ("gradient", "one step", "losses"):
        return terms_of_a_step(oracle.stages)
    # The perturbed oracles, not a count, bound the errors that accumulate over an epoch's steps.
    return terms_forward(oracle.stages) if stage == "epoch" else 0


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


def _optimizer_error(stage: str, place: int, oracle: Trace, backends: int, scale: float) -> float:
    """Return the error of a weight or a loss from Adam's bias correction in float32.

    It affects the first step of a weight. It affects the losses of all backends equally, so if
    there are several, their errors show its size and this amount is 0.
    """
    error = oracle.about.get("optimizer_roundoff", 0.0)
    if stage == "one step":
        return error * _step_of(oracle, place) / scale
    return error if stage == "losses" and backends == 1 else 0.0


def _step_of(oracle: Trace, place: int) -> float:
    """Return the largest change of one weight by the first step."""
    after = oracle.stages["one step"][place]
    if "step" in after:
        return after["step"]
    return step_size(oracle.values("start")[place], after["values"])


def _shape(entry: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the shape of an entry's whole array."""
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
                    f"Expected traces of one {what}. Received: another {what} from {name} than "
                    f"from {names[0]}."
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
                    f"Expected traces with the same {stage}. Received: {len(shapes[1])} "
                    f"entries from {name}, {len(shapes[0])} from {names[0]}, or other shapes."
                )
