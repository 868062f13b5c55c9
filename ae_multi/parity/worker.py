"""Record traces of any Keras model on the backend that runs here."""

import dataclasses
import hashlib
import json
import math
import random
import sys
from pathlib import Path

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, has_learning_rate_schedule
from ae_multi.data.batches import steps_in_epoch
from ae_multi.environment import describe_backend
from ae_multi.parity import float64, model_builder, same_random, samples, trainings
from ae_multi.parity.bounds import terms_of_a_step
from ae_multi.parity.job import TraceJob
from ae_multi.parity.perturbation import (
    optimizer_roundoff,
    perturb_gradients,
    perturbation_amplitudes,
)
from ae_multi.parity.repro_data import save_training_data
from ae_multi.parity.rounding_noise import perturb_training
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_recorder import TraceRecorder
from ae_multi.parity.ulp import perturb_by_ulp
from ae_multi.randomness.streams import stream
from ae_multi.selection import FORWARD_ONLY
from ae_multi.training.fallback import why_keras

# Of so many products of numbers, forward in all steps, what is computed in float64 takes no longer
# where it is compiled soon.
_MAX_PRODUCTS = 3e8
# How much too large the learning rate of a planted fault is.
_INJECTED_RATE_FACTOR = 1 + 2.0**-10


def record_traces(job, emit):
    """Build the job's model, run it step by step, and save the trace.

    Args:
        job: dict of a `TraceJob`.
        emit: called with one dict of plain values per event.
    """
    job = TraceJob.from_dict(job)
    sys.path.insert(0, job.folder)
    backends.current().keep_programs(job.programs)
    backends.current().full_precision()
    if job.float64:
        float64.install()
    asked = same_random.install(job.seed)
    data = samples.receive(job.data, keras.config.floatx())
    first = model_builder.build(job.build, data.xs)
    start = Trace.load(job.start) if job.start else None
    drawn = TraceRecorder(first, data.xs, [], job.seed, job.batch_size).weights()
    start_weights = (start.stages["start"] if start else None) or drawn
    data = dataclasses.replace(
        data,
        ys=data.ys or _targets(first, data.xs, job.seed),
        test_ys=data.test_ys or _targets(first, data.tests, job.seed),
    )
    if keras.config.backend() not in FORWARD_ONLY:  # where no loss is ever asked for
        model_builder.check_targets(job.build, first, data.xs, data.ys)
    runs = _Runs(job, data, [found["values"] for found in start_weights], emit)
    if job.repro_data:
        runs.save_repro_data(first, **job.repro_data)
        return

    forward_only = keras.config.backend() in FORWARD_ONLY or not first.trainable_variables
    # Of the oracle the perturbed runs follow; only there the sums behind its values are needed.
    recorder = runs.recorder(first, with_sums=bool(job.perturbed))
    # What was drawn is what the first stage compares; all others start from the same numbers.
    stages = {"start": drawn, **recorder.forward(job.steps)}
    if job.float64 and runs.products(stages["forward"]) < _MAX_PRODUCTS:
        # Float32 is compiled as it always is: how is what is looked at there.
        backends.current().compile_soon()
    about = {
        **describe_backend(),
        "precision": "float64" if job.float64 else "float32, TF32 off",
        "model": _digest(first),
        "data": data.digest,
        "data_about": data.about,
        "seed": job.seed,
        "not_comparable": sorted(asked),
        "forward_only": forward_only,
    }
    if not forward_only:
        stages |= recorder.steps(job.steps, runs.count_step)
        # One rate for all traces: that of the first.
        rate = (start.about.get("rate") if start else None) or trainings.gentle_rate(
            stages["gradient"]
        )
        about |= {"optimizer_roundoff": optimizer_roundoff(first.optimizer), "rate": rate}
        stages |= runs.trainings(rate)
    Trace(about, stages).save(job.trace)
    if not forward_only:
        if job.plans and why_keras(first) is None:
            runs.by_plans(first, about, rate)
        runs.variations(about, stages, rate)
    emit({"event": "trace", "about": about})


class _Runs:
    """Builds the model anew for each run, at the same start, and counts the steps of all."""

    def __init__(self, job, data, start, emit):
        self.job, self.data, self.start, self._emit = job, data, start, emit
        self._done = 0
        # Of the float64 trace only the curve is drawn, not the test error compared.
        self.epochs = min(1, job.epochs) if job.float64 else job.epochs
        per_epoch = steps_in_epoch(len(data.xs[0]), job.batch_size)
        epoch = per_epoch * job.epoch
        self._total = (
            (1 + len(job.perturbed)) * (job.steps + epoch)
            + (1 + len(job.ulp_perturbed)) * self.epochs * per_epoch
            + len(job.injected) * (epoch + per_epoch * min(1, self.epochs))
        )

    def products(self, forward):
        """Products of numbers in the layers of all steps, forward, by what they gave for one."""
        return self._total * sum(entry["terms"] * entry["values"].size for entry in forward)

    def count_step(self):
        """Count one step, and tell of every fiftieth."""
        self._done += 1
        if self._done % 50 == 0 or self._done == self._total:
            label = f"step {self._done} of {self._total}"
            done = {"event": "progress", "done": self._done, "total": self._total}
            self._emit({**done, "label": label})

    def recorder(self, model=None, start=None, run=0, amplitudes=None, with_sums=False, plan=None):
        """A `TraceRecorder` of the model, or of another like it, from the common start or another.

        Where some runs are perturbed, all are, the others by nothing; so they share programs.
        """
        if model is None:
            random.seed(self.job.seed)  # the same seeds for the same layers
            model = model_builder.build(self.job.build, self.data.xs)
        for variable, values in zip(model.weights, start or self.start, strict=True):
            variable.assign(values.astype(variable.dtype))
        self._perturb(model.optimizer, run, amplitudes, len(model.trainable_variables))
        job, data = self.job, self.data
        return TraceRecorder(model, data.xs, data.ys, job.seed, job.batch_size, with_sums, plan)

    def _perturb(self, optimizer, run, amplitudes, gradients):
        if self.job.perturbed:
            still = [0.0] * gradients
            perturb_gradients(optimizer, self.job.seed, run, amplitudes or still)

    def save_repro_data(self, model, stage, place, path):
        """Save what shows one entry of a stage: a layer, its inputs and weights, or a training."""
        recorder = self.recorder(model)
        if "forward" in stage:
            recorder.save_layer(stage, place, path)
            return
        batches = [recorder.batch(step) for step in range(place + 1 if stage == "losses" else 1)]
        save_training_data(path, model, self.job.build, self.job.folder, batches)

    def trainings(self, rate):
        """The stages "epoch" and "training", as far as the job wants them."""
        stages = {}
        if self.job.epoch:
            stages["epoch"] = self._sgd(self.recorder(), rate)
        if self.epochs:
            stages["training"] = self._own(self.recorder(), self.epochs)
        return stages

    def by_plans(self, model, about, rate):
        """Save a trace for each plan that can be built: the steps, and the trainings."""
        for plan, seconds in backends.current().plans(model):
            if not math.isfinite(seconds):
                continue
            # The steps of the plans are not among those that are counted.
            stages = self.recorder(plan=plan).losses(self.job.steps)
            if self.job.epoch:
                recorder, sgd = self.recorder(plan=plan), trainings.gentle_sgd(rate)
                stages["epoch"] = trainings.sgd_epoch(recorder, self.data, sgd, lambda: None)
            if self.epochs:
                recorder = self.recorder(plan=plan)
                stages["training"] = trainings.training_by_plan(recorder, self.data, self.epochs)
            path = Path(self.job.trace)
            Trace({**about, "plan": plan}, stages).save(path.with_name(f"{path.stem}+{plan}.npz"))

    def variations(self, about, stages, rate):
        """Save the further traces that the job wants."""
        terms = terms_of_a_step(stages)
        amplitudes = perturbation_amplitudes(stages["gradient"][1:], terms)
        for run, path in enumerate(self.job.perturbed, 1):
            found = {"start": stages["start"], **self._perturbed(run, amplitudes, rate)}
            Trace(about, found).save(path)
        for run, path in enumerate(self.job.ulp_perturbed, 1):
            recorder = self.recorder(start=perturb_by_ulp(self.start, self.job.seed, run))
            perturb_training(recorder.model.optimizer, self.job.seed, run, terms)
            Trace(about, {"training": self._own(recorder, self.epochs)}).save(path)
        for path in self.job.injected:
            Trace(about, self._injected(rate)).save(path)

    def _perturbed(self, run, amplitudes, rate):
        """The stages of a trace that is perturbed as float32 rounding would perturb it."""
        perturbed = {"run": run, "amplitudes": amplitudes}
        start = perturb_by_ulp(self.start, self.job.seed, run)
        recorder, steps = self.recorder(start=start, **perturbed), self.job.steps
        found = {**recorder.forward(steps), **recorder.steps(steps, self.count_step)}
        if self.job.epoch:
            found["epoch"] = self._sgd(self.recorder(start=start), rate, **perturbed)
        return found

    def _injected(self, rate):
        """The trainings with a learning rate that is a thousandth too large, for comparison."""
        found = {}
        if self.job.epoch:
            found["epoch"] = self._sgd(self.recorder(), rate * _INJECTED_RATE_FACTOR)
        recorder = self.recorder()
        optimizer = recorder.model.optimizer
        # A schedule cannot be assigned to, and is left alone.
        if self.epochs and not has_learning_rate_schedule(optimizer):
            optimizer.learning_rate = float(optimizer.learning_rate) * _INJECTED_RATE_FACTOR
            found["training"] = self._own(recorder, 1)
        return found

    def _sgd(self, recorder, rate, run=0, amplitudes=None):
        optimizer = trainings.gentle_sgd(rate)
        self._perturb(optimizer, run, amplitudes, len(recorder.model.trainable_variables))
        return trainings.sgd_epoch(recorder, self.data, optimizer, self.count_step)

    def _own(self, recorder, epochs):
        return trainings.own_training(recorder, self.data, epochs, self.count_step)


def _targets(model, xs, seed):
    """The inputs where outputs have their shapes, else numbers on [0, 1) of the outputs' shapes."""
    outputs = keras.tree.flatten(
        model.predict(model_builder.one_or_list([x[:2] for x in xs]), verbose=0)
    )
    if [o.shape[1:] for o in outputs] == [x.shape[1:] for x in xs]:
        return xs
    made = []
    for place, output in enumerate(outputs):
        shape = (len(xs[0]), *output.shape[1:])
        bits = stream(seed, f"target/{place}").random_raw(int(np.prod(shape)))
        made.append(((bits >> np.uint64(40)) * 2.0**-24).reshape(shape).astype(output.dtype))
    return made


def _digest(model):
    """A digest of classes, names and weights' shapes: equal for traces of one model."""
    layers = flatten_layers(model)
    parts = [[type(layer).__name__, [list(v.shape) for v in layer.weights]] for layer in layers]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
