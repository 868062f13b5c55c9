"""Record traces of a Keras model on the backend of this process."""

import dataclasses
import hashlib
import json
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
from ae_multi._keras_internals import flatten_layers
from ae_multi.backend_selection import FORWARD_ONLY
from ae_multi.environment import describe_backend
from ae_multi.parity import model_builder, same_random, trainings
from ae_multi.parity.bounds import UNIT_ROUNDOFF
from ae_multi.parity.data import receive
from ae_multi.parity.job import TraceJob
from ae_multi.parity.model_file import load_weights
from ae_multi.parity.perturbation import optimizer_roundoff
from ae_multi.parity.precision import (
    describe_precision,
    round_weights,
    unit_roundoff,
    use_float64,
)
from ae_multi.parity.runs import Runs
from ae_multi.parity.trace import Trace
from ae_multi.parity.trace_recorder import TraceRecorder
from ae_multi.randomness.streams import stream
from ae_multi.training.fallback import why_keras

# `compile_soon` makes compilation faster and programs slower. With fewer multiplications than this
# in the forward passes of all steps, a float64 trace takes no longer with it.
_MAX_PRODUCTS = 3e8


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
        use_float64()
    if job.dtype_policy:
        keras.config.set_dtype_policy(job.dtype_policy)
    not_replaced = same_random.install(job.seed)
    data = receive(job.data, keras.config.floatx())
    first = model_builder.build(job.build, data.xs)
    state = [keras.ops.convert_to_numpy(variable) for variable in first.variables]
    if job.weights:
        _start_from(job, first, data.xs)
    drawn = TraceRecorder(first, data.xs, [], job.seed, job.batch_size).weights()
    stored = round_weights(first, [entry["values"] for entry in drawn])
    drawn = [{**entry, "values": values} for entry, values in zip(drawn, stored, strict=True)]
    if job.start_to_write:
        Trace({}, {"start": drawn}).save(job.start_to_write)
    start_weights = (_wait_for(job.start).stages["start"] if job.start else None) or drawn
    data = dataclasses.replace(
        data,
        ys=data.ys or _targets(first, data.xs, job.seed),
        test_ys=data.test_ys or _targets(first, data.tests, job.seed),
    )
    if keras.config.backend() not in FORWARD_ONLY:  # forward-only backends compute no loss
        model_builder.check_targets(job.build, first, data.xs, data.ys)
    # Computing the targets may have changed the state of random layers. Reset it, since the models
    # of the perturbed runs are new.
    for variable, values in zip(first.variables, state, strict=True):
        variable.assign(values)
    runs = Runs(job, data, [entry["values"] for entry in start_weights], emit)
    if job.repro_data:
        runs.save_repro_data(first, **job.repro_data)
        return

    forward_only = keras.config.backend() in FORWARD_ONLY or not first.trainable_variables
    # Only the oracle, which has perturbed runs, needs the summation errors of its values.
    recorder = runs.recorder(first, with_sums=bool(job.perturbed))
    # The stage "start" compares the weights that this backend drew; all later stages start from
    # the same weights on every backend.
    stages = {"start": drawn, **recorder.forward(max(job.steps, 1))}
    roundoff = unit_roundoff(first)
    is_float32 = roundoff == UNIT_ROUNDOFF  # otherwise the terms count roundings, not products
    if job.float64 and is_float32 and runs.products(stages["forward"]) < _MAX_PRODUCTS:
        # Float32 is always compiled as in a training, since that program is checked.
        backends.current().compile_soon()
    about = {
        **describe_backend(),
        "precision": "float64" if job.float64 else f"{describe_precision(first)}, TF32 off",
        "roundoff": roundoff,
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
        rate = trainings.sgd_learning_rate(stages["gradient"])
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
    """Wait until another process has written the trace at ``path``, and return it.

    If that process fails, the parent process kills this one.
    """
    while not os.path.exists(path):
        time.sleep(0.02)
    return Trace.load(path)


def _path_of_rate(start: str) -> str:
    return f"{start}.rate.npz"


def _start_from(job: TraceJob, model: keras.Model, xs: Sequence[np.ndarray]) -> None:
    """Assign the weights of the job's file to a model, without the state of its optimizer."""
    random.seed(job.seed)
    source = model_builder.build(job.build, xs)
    load_weights(source, str(job.weights))
    for variable, loaded in zip(model.weights, source.weights, strict=True):
        variable.assign(loaded)


def _digest_of_file(path: str | None) -> str | None:
    return None if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _targets(model: keras.Model, xs: list[np.ndarray], seed: int) -> list[np.ndarray]:
    """Return targets: the inputs if the outputs have their shapes, else uniform on [0, 1)."""
    outputs = keras.tree.flatten(
        model.predict(model_builder.one_or_list([x[:2] for x in xs]), verbose=0)
    )
    if [o.shape[1:] for o in outputs] == [x.shape[1:] for x in xs]:
        return xs
    targets = []
    for place, output in enumerate(outputs):
        shape = (len(xs[0]), *output.shape[1:])
        bits = stream(seed, f"target/{place}").random_raw(int(np.prod(shape)))
        targets.append(
            ((bits >> np.uint64(40)) * 2.0**-24).reshape(shape).astype(keras.config.floatx())
        )
    return targets


def _digest(model: keras.Model) -> str:
    """Return a digest of the layers' classes and the weights' shapes, equal for the same model."""
    layers = flatten_layers(model)
    parts = [[type(layer).__name__, [list(v.shape) for v in layer.weights]] for layer in layers]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
