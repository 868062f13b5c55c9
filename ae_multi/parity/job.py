"""The job of a process that records traces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, kw_only=True)
class TraceJob:
    """What a worker process records, as plain values that JSON can hold.

    Attributes:
        build: reference to the function that builds the model, as `model_builder.find` takes it.
        folder: folder in which the module of ``build`` is looked up.
        programs: folder for compiled programs.
        data: result of `ae_multi.parity.data.hand_over`.
        seed: integer that fixes weights, batches and noise.
        batch_size: samples in a batch.
        steps: number of steps that are recorded one by one; 0 for none.
        trace: path of the trace to write.
        start: path of the initial weights that another process writes, or None. This process waits
            until they are there.
        start_to_write: path at which to write the initial weights for the other processes, or None.
        weights: path of a file of weights to start from, or None for those of the seed.
        epoch: whether to record an epoch of SGD.
        epochs: number of epochs of the model's own optimizer; 0 for none.
        float64: whether to compute in true float64.
        plans: whether to record the steps by each plan of the backend too, beside ``trace``.
        perturbed: paths of further traces, each perturbed as float32 rounding would perturb it, or
            by a multiple of that, see `ae_multi.parity.conditioning.PERTURBATIONS`.
        ulp_perturbed: paths of further traces, each from initial weights one unit in the last
            place off and perturbed in each step.
        injected: paths, at most one, of traces whose learning rate is too large on purpose.
        repro_data: None, or a dict of ``stage``, ``place`` and ``path``: then no trace is
            recorded, and the data that reproduce this entry are saved to the path.
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
    epoch: bool = False
    epochs: int = 0
    float64: bool = False
    plans: bool = False
    perturbed: list[str] = dataclasses.field(default_factory=list)
    ulp_perturbed: list[str] = dataclasses.field(default_factory=list)
    injected: list[str] = dataclasses.field(default_factory=list)
    repro_data: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the job as `subprocesses.launcher.run` takes it."""
        return {"run": "ae_multi.parity.worker:record_traces", **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TraceJob:
        """Return the job of a dict that `to_dict` made."""
        return cls(**{name: value for name, value in values.items() if name != "run"})
