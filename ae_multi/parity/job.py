"""Job of a child process that records traces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

# Dtype policies of fewer digits than float32.
DTYPE_POLICIES = ("mixed_bfloat16", "mixed_float16", "bfloat16", "float16")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraceJob:
    """Traces that a child process records, as JSON-serialisable values.

    Attributes:
        build: reference to the function that builds the model, as `model_builder.find` takes it.
        folder: folder in which the module of ``build`` is looked up.
        programs: folder in which compiled programs are cached.
        data: result of `ae_multi.parity.data.hand_over`.
        seed: integer, seed of weights, batch order, noise and drawn targets.
        batch_size: samples in a batch.
        steps: number of steps that are recorded one by one; 0 for none.
        trace: path of the trace to write.
        start: path of the initial weights that another process writes, or None. This process waits
            until the file exists.
        start_to_write: path at which to write the initial weights for the other processes, or None.
        weights: path of a file of initial weights, or None to draw them from the seed.
        dtype_policy: name of Keras's global dtype policy, or None for that of ``floatx``.
        epoch: whether to record an epoch of SGD.
        epochs: number of epochs of the model's own optimizer; 0 for none.
        float64: whether to compute in true float64.
        plans: whether to also record the steps of each plan of the backend, in files next to
            ``trace``.
        perturbed: paths of further traces, each perturbed by the size of float32 rounding or a
            multiple of it, see `ae_multi.parity.conditioning.PERTURBATIONS`.
        ulp_perturbed: paths of further traces. Each starts from initial weights that are moved by
            one unit in the last place, and is perturbed in each step.
        injected: paths, at most one, of traces with an injected fault: a learning rate that is
            0.1 % too large.
        repro_data: None, or a dict of ``stage``, ``place`` and ``path``. With a dict, no trace is
            recorded. The data that reproduce this entry are saved to ``path``.
    """

    build: Any
    folder: str
    programs: str
    data: dict[str, Any]
    seed: int
    batch_size: int
    steps: int
    trace: str = ""
    start: str | None = None
    start_to_write: str | None = None
    weights: str | None = None
    dtype_policy: str | None = None
    epoch: bool = False
    epochs: int = 0
    float64: bool = False
    plans: bool = False
    perturbed: list[str] = dataclasses.field(default_factory=list)
    ulp_perturbed: list[str] = dataclasses.field(default_factory=list)
    injected: list[str] = dataclasses.field(default_factory=list)
    repro_data: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the job as the dict that `ae_multi.subprocesses.launcher.run` takes."""
        return {"run": "ae_multi.parity.worker:record_traces", **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TraceJob:
        """Return the job of a dict from `to_dict`."""
        return cls(**{name: value for name, value in values.items() if name != "run"})
