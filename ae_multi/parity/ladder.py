"""Compare traces, rung by rung, and say where they part.

Each float32 trace is held against a trace of the same steps in float64, the oracle. What a
backend may be off by at a place is the largest of three:

- by reasoning: the rounding errors of t additions behave like a random walk of t steps of half a
  unit in the last place, so a result of size s is off by about s · √t · 2⁻²⁴; `REASONED` times
  that. t counts the terms that went into the result: the fan-in of every layer so far.
- by conditioning: how far the oracle itself moves at this place when it is shaken as float32
  would shake it, at most over several runs: each initial weight to its neighbouring float32
  number, each gradient by √t · 2⁻²⁴ of its largest value, up or down by a coin; `CONDITIONED`
  times that. Layers amplify what comes before them, and Adam what rounding leaves of a gradient
  that is all but zero, by factors that no count of operations knows.
- by measurement: how far the best of the other backends is off at this place; `MEASURED` times
  that, since the order of a sum alone makes factors of a few. A backend that is checked by itself
  has no others; weights may then be off by 2⁻²⁴ / (1 - β₂) under an Adam, whose bias correction
  1 - β₂ᵗ is a float32 number near 0.

So a backend that rounds is within its bound, one that computes something else is not, and it is
known which of them it is.
"""

import math
from dataclasses import dataclass

import numpy as np

from ae_multi.errors import InputError

UNIT_ROUNDOFF = 2.0**-24  # of float32, rounding to nearest
REASONED = 4
CONDITIONED = 8
MEASURED = 8

# Stage of a trace: what its rung compares.
RUNGS = {
    "start": "initial weights, bit for bit",
    "order": "which samples make up each batch",
    "forward": "each layer's output, layers as in use",
    "training forward": "each layer's output, layers as in training",
    "gradient": "loss of the first batch and its gradient for each weight",
    "one step": "weights after one step",
    "losses": "loss of each of the first steps",
}


@dataclass(frozen=True)
class Divergence:
    """One place where a backend is off by more than rounding.

    Attributes:
        rung: a key of `RUNGS`.
        place: position of the entry in its rung, from 0.
        name: the layer or weight, or the step.
        layer: class of the layer; empty where there is none.
        shape: shape of the values.
        error: dict of backend to largest error, relative to the largest value.
        bound: dict of backend to the error allowed.
        guilty: the backends beyond their bound.
    """

    rung: str
    place: int
    name: str
    layer: str
    shape: tuple
    error: dict
    bound: dict
    guilty: tuple

    def __str__(self):
        kind = f" ({self.layer})" if self.layer else ""
        rest = ", ".join(
            f"{backend} is off by {self.error[backend]:.1e} of the largest value, "
            f"{self._times(backend)} what rounding explains ({self.bound[backend]:.1e})"
            for backend in self.guilty
        )
        return f"{self.rung}: {self.name}{kind}, shape {self.shape}: {rest}"

    def _times(self, backend):
        if not self.bound[backend]:
            return "and nothing is"
        return f"{self.error[backend] / self.bound[backend]:.3g} times"


@dataclass(frozen=True)
class Rung:
    """One step of the ladder.

    Attributes:
        name: a key of `RUNGS`.
        compared: how many entries.
        closest: the entry closest to its bound or farthest beyond it, as a `Divergence`.
        divergences: entries beyond their bounds, first things first.
    """

    name: str
    compared: int
    closest: Divergence
    divergences: list

    @property
    def holds(self):
        """Whether every backend is within its bound everywhere."""
        return not self.divergences


def climb(traces, oracle, shaken):
    """Compare traces of one model on several backends.

    Args:
        traces: dict of backend to float32 `Trace`.
        oracle: the float64 `Trace`.
        shaken: list of `Trace`, the oracle shaken as float32 rounding would shake it.

    Returns:
        List of `Rung`, one for each stage.

    Raises:
        InputError: traces of different models, data or seeds, or of other stages.
    """
    _check_comparable({**traces, "the oracle": oracle})
    return [_rung(stage, traces, oracle, shaken) for stage in RUNGS]


def _rung(stage, traces, oracle, shaken):
    entries = {backend: trace.stages[stage] for backend, trace in traces.items()}
    found, terms, moved = [], 0, 0.0
    worst = dict.fromkeys(traces, 0.0)
    alone = oracle.about.get("optimizer_roundoff", 0.0) if stage in ("one step", "losses") else 0.0
    before = 0 if "forward" in stage else terms_of_a_step(oracle.stages)
    for place, exact in enumerate(oracle.stages[stage]):
        values = {backend: items[place]["values"] for backend, items in entries.items()}
        if stage in ("start", "order"):
            error, bound = _bitwise(values)
        else:
            terms += exact["terms"]
            error = {b: _relative_error(v, exact["values"]) for b, v in values.items()}
            if stage == "losses":
                # One number may be right by luck; what was seen before it counts too.
                worst = error = {b: max(error[b], worst[b]) for b in error}
            moves = [_relative_error(t.values(stage)[place], exact["values"]) for t in shaken]
            moved = max([*moves, moved] if stage == "losses" else moves, default=0.0)
            bound = _bounds(error, terms + before, moved, alone)
        guilty = tuple(b for b in error if not error[b] <= bound[b])
        shape = np.shape(exact["values"])
        found.append(
            Divergence(stage, place, exact["name"], exact["layer"], shape, error, bound, guilty)
        )
    # Never empty: `_check_comparable` refuses a stage without entries.
    return Rung(
        stage, len(found), max(found, key=_excess), [entry for entry in found if entry.guilty]
    )


def terms_of_a_step(stages):
    """Terms that go into a gradient: forward, back to the inputs, and back to the weights."""
    return 3 * sum(entry["terms"] for entry in stages["training forward"])


def _bitwise(values):
    """Errors and bounds where nothing but equality will do: the first backend is the measure."""
    first = next(iter(values.values()))
    scale = float(np.max(np.abs(first), initial=0.0)) or 1.0
    error = {}
    for backend, array in values.items():
        same = array.dtype == first.dtype and array.tobytes() == first.tobytes()
        gap = np.abs(array.astype(np.float64) - first.astype(np.float64))
        error[backend] = 0.0 if same else max(float(np.max(gap)) / scale, 2.0**-149)
    return error, dict.fromkeys(values, 0.0)


def _relative_error(values, exact):
    """Largest absolute error over the largest exact value; infinite where only one is finite."""
    exact = np.asarray(exact, np.float64)
    if exact.size == 0:
        return 0.0
    scale = float(np.max(np.abs(exact))) or 1.0
    error = float(np.max(np.abs(np.asarray(values, np.float64) - exact)))
    return error / scale if math.isfinite(error) else math.inf


def _bounds(error, terms, moved, alone):
    reasoned = max(REASONED * UNIT_ROUNDOFF * math.sqrt(terms), CONDITIONED * moved)
    bounds = {}
    for backend in error:
        others = [error[other] for other in error if other != backend]
        bounds[backend] = max(reasoned, MEASURED * min(others, default=alone / MEASURED))
    return bounds


def _excess(entry):
    return max(
        (entry.error[b] / entry.bound[b] if entry.bound[b] else entry.error[b] * math.inf)
        if entry.error[b]
        else 0.0
        for b in entry.error
    )


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
            shapes = [
                [np.shape(entry["values"]) for entry in trace.stages.get(stage, [])]
                for trace in (first, other)
            ]
            if shapes[0] != shapes[1] or not shapes[0]:
                raise InputError(
                    f"Expected traces that hold the same {stage}. Received: {len(shapes[1])} "
                    f"entries from {name}, {len(shapes[0])} from {names[0]}, or of other shapes."
                )
