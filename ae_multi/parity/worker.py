"""Record traces of a Keras model on the backend of this process."""

import dataclasses
import hashlib
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, has_learning_rate_schedule
from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.data.batches import steps_in_epoch
from ae_multi.environment import describe_backend
from ae_multi.parity import float64, model_builder, same_random, trainings
from ae_multi.parity.bounds import largest, terms_of_a_step
from ae_multi.parity.conditioning import (
    ALLOWED_STEPS,
    LARGE_PROBE,
    PERTURBATIONS,
    SMALL_PROBE,
    PerturbedReference,
)
from ae_multi.parity.data import Samples, receive
from ae_multi.parity.job import TraceJob
from ae_multi.parity.model_file import load_weights
from ae_multi.parity.perturbation import (
    optimizer_roundoff,
    perturb_gradients,
    perturbation_amplitudes,
)
from ae_multi.parity.repro_data import save_training_data
from ae_multi.parity.rounding_noise import perturb_training
from ae_multi.parity.stages import gradient_bounds
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_recorder import TraceRecorder, entry
from ae_multi.parity.ulp import perturb_by_ulp
from ae_multi.randomness.streams import stream
from ae_multi.training.fallback import why_keras

# Up to this number of multiplications in the forward passes of all steps, a float64 trace takes no
# longer with `compile_soon`, which compiles faster to slower programs.
_MAX_PRODUCTS = 3e8
# Factor of the learning rate in the trainings with an injected fault.
_INJECTED_RATE_FACTOR = 1 + 2.0**-10


def record_traces(values: Mapping[str, Any], emit: Callable[[dict[str, Any]], object]) -> None:
    """Build the model of a job, run it step by step, and save its traces.

    Args:
        values: dict of a `TraceJob`.
        emit: called with a JSON-serialisable dict for each event.
    """
    job = TraceJob.from_dict(values)
    sys.path.insert(0, job.folder)
    backends.current().keep_programs(job.programs)
    backends.current().full_precision()
    if job.float64:
        float64.install()
    not_replaced = same_random.install(job.seed)
    data = receive(job.data, keras.config.floatx())
    first = model_builder.build(job.build, data.xs)
    state = [keras.ops.convert_to_numpy(variable) for variable in first.variables]
    if job.weights:
        _start_from(job, first, data.xs)
    drawn = TraceRecorder(first, data.xs, [], job.seed, job.batch_size).weights()
    if job.start_to_write:
        Trace({}, {"start": drawn}).save(job.start_to_write)
    start_weights = (_wait_for(job.start).stages["start"] if job.start else None) or drawn
    data = dataclasses.replace(
        data,
        ys=data.ys or _targets(first, data.xs, job.seed),
        test_ys=data.test_ys or _targets(first, data.tests, job.seed),
    )
    if keras.config.backend() not in FORWARD_ONLY:  # these compute no loss
        model_builder.check_targets(job.build, first, data.xs, data.ys)
    # A model draws random numbers for the targets too; its recorded passes begin like those of the
    # perturbed runs, whose models are new.
    for variable, values in zip(first.variables, state, strict=True):
        variable.assign(values)
    runs = _Runs(job, data, [entry["values"] for entry in start_weights], emit)
    if job.repro_data:
        runs.save_repro_data(first, **job.repro_data)
        return

    forward_only = keras.config.backend() in FORWARD_ONLY or not first.trainable_variables
    # Only the oracle, which has perturbed runs, needs the summation errors of its values.
    recorder = runs.recorder(first, with_sums=bool(job.perturbed))
    # The stage "start" compares the weights that this backend drew; all later stages start from
    # the same weights on every backend.
    stages = {"start": drawn, **recorder.forward(max(job.steps, 1))}
    if job.float64 and runs.products(stages["forward"]) < _MAX_PRODUCTS:
        # Float32 is always compiled as usual, since its compiled program is what is checked.
        backends.current().compile_soon()
    about = {
        **describe_backend(),
        "precision": "float64" if job.float64 else "float32, TF32 off",
        "model": _digest(first),
        "parameters": first.count_params(),
        "data": data.digest,
        "data_about": data.about,
        "seed": job.seed,
        "steps": job.steps,
        "batch_size": job.batch_size,
        "weights": _digest_of_file(job.weights),
        "not_comparable": sorted(not_replaced),
        "forward_only": forward_only,
    }
    if not forward_only:
        stages |= recorder.steps(job.steps, runs.count_step)
        rate = trainings.gentle_rate(stages["gradient"])
        if job.start_to_write:
            Trace({"rate": rate}, {}).save(_path_of_rate(job.start_to_write))
        elif job.start and job.epoch:  # all traces use the learning rate of the first one
            rate = _wait_for(_path_of_rate(job.start)).about["rate"]
        about |= {"optimizer_roundoff": optimizer_roundoff(first.optimizer), "rate": rate}
        stages |= runs.trainings(rate)
        if job.plans and why_keras(first) is None:
            runs.by_plans(first, about, rate)
        stages |= runs.variations(about, stages, rate)
    Trace(about, stages).save(job.trace)
    emit({"event": "trace", "about": about})


def _wait_for(path: str) -> Trace:
    """Return the trace that another process writes to ``path``; the parent ends a vain wait."""
    while not os.path.exists(path):
        time.sleep(0.02)
    return Trace.load(path)


def _path_of_rate(start: str) -> str:
    return f"{start}.rate.npz"


class _Runs:
    """Runs of a job: each with a new model at the same initial weights, and a count of all steps.

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

        If some runs of the job are perturbed, all runs are, the others with amplitudes of 0, so
        that all runs share their compiled programs.

        Args:
            model: the model, or None to build a new one.
            start: initial weights, or None for the common ones.
            run: number of the perturbed run; 0 for others.
            amplitudes: amplitudes of `perturb_gradients`, or None for 0.
            with_sums: whether to measure summation errors.
            plan: name of the plan that takes the steps, or None for Keras's train step.
        """
        if model is None:
            random.seed(self.job.seed)  # gives each layer the same seed as in the first model
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
        """Save the data that reproduce one entry of a stage: of a layer or of a training."""
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
            stages["training"] = self._own_training(self.recorder(), self.epochs)
        return stages

    def by_plans(self, model: keras.Model, about: dict[str, Any], rate: float) -> None:
        """Save a trace of the steps and the trainings for each plan that can be built."""
        for plan, seconds in backends.current().plans(model):
            if not math.isfinite(seconds):
                continue
            # The steps of the plans do not count for the progress events.
            stages = self.recorder(plan=plan).losses(self.job.steps)
            if self.job.epoch:
                recorder, sgd = self.recorder(plan=plan), trainings.gentle_sgd(rate)
                stages["epoch"] = trainings.sgd_epoch(recorder, self.data, sgd, lambda: None)
            if self.epochs:
                recorder = self.recorder(plan=plan)
                stages["training"] = trainings.training_by_plan(recorder, self.data, self.epochs)
            path = Path(self.job.trace)
            Trace({**about, "plan": plan}, stages).save(path.with_name(f"{path.stem}+{plan}.npz"))

    def variations(
        self, about: dict[str, Any], stages: dict[str, list[dict[str, Any]]], rate: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Save the further traces that the job requests; return further stages of the job's own."""
        terms = terms_of_a_step(stages)
        amplitudes = perturbation_amplitudes(stages["gradient"][1:], terms)
        further: dict[str, list[dict[str, Any]]] = {}
        runs: list[Trace] = []  # their gradients alone: outputs may take gigabytes
        for factor, path in zip(PERTURBATIONS, self.job.perturbed, strict=False):
            perturbed = self._perturbed(len(runs) + 1, factor, amplitudes, rate)
            described = {**about, "perturbation": factor}
            Trace(described, {"start": stages["start"], **perturbed}).save(path)
            runs.append(Trace(described, {"gradient": perturbed["gradient"]}))
        if runs and self.job.steps:
            reference = PerturbedReference(Trace(about, stages), runs)
            steps = self.job.steps if reference.jumps else 1
            further[ALLOWED_STEPS], losses = self._with_gradients_off(
                reference, len(runs) + 1, steps
            )
            if reference.jumps and runs[-1].perturbation == LARGE_PROBE:
                probe = Trace.load(self.job.perturbed[-1])
                Trace(probe.about, {**probe.stages, "losses": losses}).save(self.job.perturbed[-1])
        for run, path in enumerate(self.job.ulp_perturbed, 1):
            recorder = self.recorder(start=perturb_by_ulp(self.start, self.job.seed, run))
            perturb_training(recorder.model.optimizer, self.job.seed, run, terms)
            Trace(about, {"training": self._own_training(recorder, self.epochs)}).save(path)
        for path in self.job.injected:
            Trace(about, self._injected(rate)).save(path)
        return further

    def _perturbed(
        self, run: int, factor: int, amplitudes: Sequence[float], rate: float
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the stages of a trace that is perturbed by ``factor`` times float32 rounding."""
        start = perturb_by_ulp(self.start, self.job.seed, run, factor)
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

    def _with_gradients_off(
        self, reference: PerturbedReference, run: int, steps: int
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Take steps whose gradients are off by their bounds.

        In each step every element of a gradient is off by the bound of this gradient in the first
        batch, once in a random direction, once in the opposite one.

        Args:
            reference: the oracle and its perturbed runs.
            run: number of this run, which determines the directions.
            steps: number of steps of the first of the two runs; the other takes one.

        Returns:
            (how far each element of a weight moves in the first step, the losses of one run).
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
        # A learning rate schedule cannot be replaced by a number; there is no fault then.
        if self.epochs and not has_learning_rate_schedule(optimizer):
            optimizer.learning_rate = float(optimizer.learning_rate) * _INJECTED_RATE_FACTOR
            stages["training"] = self._own_training(recorder, 1)
        return stages

    def _sgd(
        self,
        recorder: TraceRecorder,
        rate: float,
        run: int = 0,
        amplitudes: Sequence[float] | None = None,
    ) -> list[dict[str, Any]]:
        optimizer = trainings.gentle_sgd(rate)
        self._perturb(optimizer, run, amplitudes, len(recorder.model.trainable_variables))
        return trainings.sgd_epoch(recorder, self.data, optimizer, self.count_step)

    def _own_training(self, recorder: TraceRecorder, epochs: int) -> list[dict[str, Any]]:
        return trainings.own_training(recorder, self.data, epochs, self.count_step)


def _distances(values: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(np.asarray(values, np.float64) - np.asarray(exact, np.float64))


def _start_from(job: TraceJob, model: keras.Model, xs: Sequence[np.ndarray]) -> None:
    """Assign the weights of the job's file to a model, and leave its optimizer as it is."""
    random.seed(job.seed)
    source = model_builder.build(job.build, xs)
    load_weights(source, str(job.weights))
    for variable, loaded in zip(model.weights, source.weights, strict=True):
        variable.assign(loaded)


def _digest_of_file(path: str | None) -> str | None:
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _targets(model: keras.Model, xs: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return targets: the inputs if the outputs have their shapes, else numbers on [0, 1)."""
    outputs = keras.tree.flatten(
        model.predict(model_builder.one_or_list([x[:2] for x in xs]), verbose=0)
    )
    if [o.shape[1:] for o in outputs] == [x.shape[1:] for x in xs]:
        return xs
    targets = []
    for place, output in enumerate(outputs):
        shape = (len(xs[0]), *output.shape[1:])
        bits = stream(seed, f"target/{place}").random_raw(int(np.prod(shape)))
        targets.append(((bits >> np.uint64(40)) * 2.0**-24).reshape(shape).astype(output.dtype))
    return targets


def _digest(model: keras.Model) -> str:
    """Return a digest of the layers' classes and the weights' shapes, equal for the same model."""
    layers = flatten_layers(model)
    parts = [[type(layer).__name__, [list(v.shape) for v in layer.weights]] for layer in layers]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
