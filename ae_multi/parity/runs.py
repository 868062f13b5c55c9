"""Runs of one model whose values are traces: unperturbed, perturbed, by plans, with a fault."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import has_learning_rate_schedule
from ae_multi.data.batches import steps_in_epoch
from ae_multi.parity import model_builder, trainings
from ae_multi.parity.bounds import UNIT_ROUNDOFF, largest, terms_of_a_step
from ae_multi.parity.conditioning import (
    ALLOWED_STEPS,
    LARGE_PROBE,
    PERTURBATIONS,
    SMALL_PROBE,
    PerturbedReference,
)
from ae_multi.parity.data import Samples
from ae_multi.parity.job import TraceJob
from ae_multi.parity.perturbation import perturb_gradients, perturbation_amplitudes
from ae_multi.parity.repro_data import save_training_data
from ae_multi.parity.rounding_comparison import gradient_bounds
from ae_multi.parity.rounding_noise import perturb_training
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_recorder import TraceRecorder, entry
from ae_multi.parity.ulp import perturb_by_ulp

# Factor of the learning rate in the trainings with an injected fault.
_INJECTED_RATE_FACTOR = 1 + 2.0**-10


class Runs:
    """Runs of a job, each at the same initial weights.

    The steps of all runs are counted for the progress events.

    Args:
        job: the job.
        data: inputs and targets.
        start: the initial weights.
        emit: called with a JSON-serialisable dict for each event.
    """

    def __init__(
        self,
        job: TraceJob,
        data: Samples,
        start: Sequence[np.ndarray],
        emit: Callable[[dict[str, Any]], object],
    ) -> None:
        self.job, self.data, self.start, self._emit = job, data, start, emit
        self._done = 0
        # The float64 trace provides the curve of the first epoch only; its test error is not used.
        self.epochs = min(1, job.epochs) if job.float64 else job.epochs
        per_epoch = steps_in_epoch(len(data.xs[0]), job.batch_size)
        epoch = per_epoch * job.epoch
        self._total = (
            (1 + sum(factor < SMALL_PROBE for factor in PERTURBATIONS[: len(job.perturbed)]))
            * (job.steps + epoch)
            + (1 + len(job.ulp_perturbed)) * self.epochs * per_epoch
            + len(job.injected) * (epoch + per_epoch * min(1, self.epochs))
        )

    def products(self, forward: Sequence[Mapping[str, Any]]) -> float:
        """Return the number of multiplications in the forward passes of all steps.

        Args:
            forward: the entries of the stage "forward" for one batch.
        """
        return self._total * sum(entry["terms"] * entry["values"].size for entry in forward)

    def count_step(self) -> None:
        """Count one step, and emit a progress event for every fiftieth and for the last."""
        self._done += 1
        if self._done % 50 == 0 or self._done == self._total:
            label = f"step {self._done} of {self._total}"
            done = {"event": "progress", "done": self._done, "total": self._total}
            self._emit({**done, "label": label})

    def recorder(
        self,
        model: keras.Model | None = None,
        start: Sequence[np.ndarray] | None = None,
        run: int = 0,
        amplitudes: Sequence[float] | None = None,
        with_sums: bool = False,
        plan: str | None = None,
    ) -> TraceRecorder:
        """Return a recorder of a model at its initial weights.

        If the job has perturbed runs, all its runs are perturbed, the others with amplitudes of 0,
        so that all runs share their compiled programs.

        Args:
            model: the model, or None to build a new one.
            start: initial weights, or None for those of the job.
            run: number of the perturbed run, from 1; 0 for a run that is not perturbed.
            amplitudes: amplitudes of `perturb_gradients`, or None for 0.
            with_sums: whether to measure summation errors.
            plan: name of the plan that takes the steps, or None for Keras's train step.
        """
        if model is None:
            random.seed(self.job.seed)  # layers without a seed get those of the first model
            model = model_builder.build(self.job.build, self.data.xs)
        for variable, values in zip(model.weights, start or self.start, strict=True):
            variable.assign(values.astype(variable.dtype))
        self._perturb(model.optimizer, run, amplitudes, len(model.trainable_variables))
        job, data = self.job, self.data
        return TraceRecorder(model, data.xs, data.ys, job.seed, job.batch_size, with_sums, plan)

    def _perturb(
        self,
        optimizer: keras.optimizers.Optimizer,
        run: int,
        amplitudes: Sequence[float] | None,
        gradients: int,
    ) -> None:
        if self.job.perturbed:
            zeros = [0.0] * gradients
            perturb_gradients(optimizer, self.job.seed, run, amplitudes or zeros)

    def save_repro_data(self, model: keras.Model, stage: str, place: int, path: str) -> None:
        """Save the data that reproduce one entry of a stage: a layer, or steps of a training."""
        recorder = self.recorder(model)
        if "forward" in stage:
            recorder.save_layer(stage, place, path)
            return
        batches = [recorder.batch(step) for step in range(place + 1 if stage == "losses" else 1)]
        save_training_data(path, model, self.job.build, self.job.folder, batches)

    def trainings(self, rate: float) -> dict[str, list[dict[str, Any]]]:
        """Return the stages "epoch" and "training" if the job requests them."""
        stages = {}
        if self.job.epoch:
            stages["epoch"] = self._sgd(self.recorder(), rate)
        if self.epochs:
            stages["training"] = self._train(self.recorder(), self.epochs)
        return stages

    def by_plans(self, model: keras.Model, about: dict[str, Any], rate: float) -> None:
        """Save a trace of the steps and the trainings for each plan that can be built."""
        for plan, seconds in backends.current().plans(model):
            if not math.isfinite(seconds):
                continue
            # The steps of the plans do not count for the progress events.
            stages = self.recorder(plan=plan).losses(self.job.steps)
            if self.job.epoch:
                recorder, sgd = self.recorder(plan=plan), trainings.sgd_with_momentum(rate)
                stages["epoch"] = trainings.sgd_epoch(recorder, self.data, sgd, lambda: None)
            if self.epochs:
                recorder = self.recorder(plan=plan)
                stages["training"] = trainings.training_by_plan(recorder, self.data, self.epochs)
            path = Path(self.job.trace)
            Trace({**about, "plan": plan}, stages).save(path.with_name(f"{path.stem}+{plan}.npz"))

    def variations(
        self, about: dict[str, Any], stages: dict[str, list[dict[str, Any]]], rate: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Save the perturbed traces and those with a fault.

        Args:
            about: description of the trace of the job.
            stages: stages of the trace of the job.
            rate: learning rate of the epoch of SGD.

        Returns:
            Dict of further stages of the trace of the job: `ALLOWED_STEPS`, or none.
        """
        terms, roundoff = terms_of_a_step(stages), about["roundoff"]
        amplitudes = perturbation_amplitudes(stages["gradient"][1:], terms, roundoff)
        # In fewer digits than float32's, rounding itself is as large as the probes.
        factors = [f for f in PERTURBATIONS if f < SMALL_PROBE or roundoff == UNIT_ROUNDOFF]
        ulps = round(roundoff / UNIT_ROUNDOFF)
        further: dict[str, list[dict[str, Any]]] = {}
        runs: list[Trace] = []  # only with their gradients, since outputs may take gigabytes
        for factor, path in zip(factors, self.job.perturbed, strict=False):
            perturbed = self._perturbed(len(runs) + 1, factor, ulps, amplitudes, rate)
            described = {**about, "perturbation": factor}
            Trace(described, {"start": stages["start"], **perturbed}).save(path)
            runs.append(Trace(described, {"gradient": perturbed["gradient"]}))
        if runs and self.job.steps:
            reference = PerturbedReference(Trace(about, stages), runs)
            steps = self.job.steps if reference.jumps else 1
            further[ALLOWED_STEPS], losses = self._steps_with_gradient_errors(
                reference, len(runs) + 1, steps
            )
            if reference.jumps and runs[-1].perturbation == LARGE_PROBE:
                probe = Trace.load(self.job.perturbed[-1])
                Trace(probe.about, {**probe.stages, "losses": losses}).save(self.job.perturbed[-1])
        for run, path in enumerate(self.job.ulp_perturbed, 1):
            recorder = self.recorder(start=perturb_by_ulp(self.start, self.job.seed, run, ulps))
            perturb_training(recorder.model.optimizer, self.job.seed, run, terms, roundoff)
            Trace(about, {"training": self._train(recorder, self.epochs)}).save(path)
        for path in self.job.injected:
            Trace(about, self._injected(rate)).save(path)
        return further

    def _perturbed(
        self, run: int, factor: int, ulps: int, amplitudes: Sequence[float], rate: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the stages of a trace that is perturbed by ``factor`` times float32 rounding."""
        start = perturb_by_ulp(self.start, self.job.seed, run, factor * ulps)
        if factor >= SMALL_PROBE:
            recorder = self.recorder(start=start)
            recorded = {**recorder.forward(1), **recorder.steps(0)}
            return {name: recorded[name] for name in ("forward", "training forward", "gradient")}
        amplitudes = [factor * amplitude for amplitude in amplitudes]
        recorder, steps = (
            self.recorder(start=start, run=run, amplitudes=amplitudes),
            self.job.steps,
        )
        stages = {**recorder.forward(max(steps, 1)), **recorder.steps(steps, self.count_step)}
        if self.job.epoch:
            stages["epoch"] = self._sgd(
                self.recorder(start=start), rate, run=run, amplitudes=amplitudes
            )
        return stages

    def _steps_with_gradient_errors(
        self, reference: PerturbedReference, run: int, steps: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Take steps with gradients whose errors are as large as their bounds.

        There are two runs. In each step every element of a gradient has an error of the size of the
        bound of this gradient in the first batch. Its sign is random in the first run and the
        opposite one in the second run.

        Args:
            reference: the oracle and its perturbed runs.
            run: number of this run, which determines the signs.
            steps: number of steps of the first run. The second run takes one step.

        Returns:
            (entries of `ALLOWED_STEPS`: the largest distance of each element of a weight from the
            oracle after one step; entries of the losses of the first run).
        """
        oracle = reference.oracle
        pairs = zip(gradient_bounds(reference), oracle.values("gradient")[1:], strict=True)
        amplitudes = [bound / (largest(values) or 1.0) for bound, values in pairs]
        up = self.recorder(run=run, amplitudes=amplitudes).losses(steps)
        down = self.recorder(run=run, amplitudes=[-a for a in amplitudes]).losses(1)
        both = zip(oracle.values("one step"), up["one step"], down["one step"], strict=True)
        allowed = [
            entry(first["name"], np.maximum(*(_distances(w["values"], e) for w in (first, second))))
            for e, first, second in both
        ]
        return allowed, up["losses"]

    def _injected(self, rate: float) -> dict[str, list[dict[str, Any]]]:
        """Return the stages of trainings with a learning rate that is 0.1 % too large."""
        stages = {}
        if self.job.epoch:
            stages["epoch"] = self._sgd(self.recorder(), rate * _INJECTED_RATE_FACTOR)
        recorder = self.recorder()
        optimizer = recorder.model.optimizer
        # A learning rate schedule cannot be replaced by a number, so no fault is injected into it.
        if self.epochs and not has_learning_rate_schedule(optimizer):
            optimizer.learning_rate = float(optimizer.learning_rate) * _INJECTED_RATE_FACTOR
            stages["training"] = self._train(recorder, 1)
        return stages

    def _sgd(
        self,
        recorder: TraceRecorder,
        rate: float,
        run: int = 0,
        amplitudes: Sequence[float] | None = None,
    ) -> list[dict[str, Any]]:
        optimizer = trainings.sgd_with_momentum(rate)
        self._perturb(optimizer, run, amplitudes, len(recorder.model.trainable_variables))
        return trainings.sgd_epoch(recorder, self.data, optimizer, self.count_step)

    def _train(self, recorder: TraceRecorder, epochs: int) -> list[dict[str, Any]]:
        return trainings.train_epochs(recorder, self.data, epochs, self.count_step)


def _distances(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(np.asarray(values, np.float64) - np.asarray(exact, np.float64))
