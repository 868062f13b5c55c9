"""Record a trace of any Keras model on the backend that runs here."""

import hashlib
import json
import random

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi.parity import float64, same_random, subject
from ae_multi.parity.ladder import UNIT_ROUNDOFF, terms_of_a_step
from ae_multi.parity.record import describe
from ae_multi.parity.trace import Trace
from ae_multi.parity.ulp import nudged
from ae_multi.parity.watch import watched_layers
from ae_multi.randomness.streams import permutation, stream

ops = keras.ops


def probe(job, emit):
    """Build the job's model, run it step by step, and save the trace.

    Args:
        job: dict with ``build`` (a reference as `subject.find` takes it), ``data`` (an .npz of
            inputs x0, x1 … and perhaps targets y0, y1 …), ``seed``, ``batch_size``, ``steps``,
            ``float64`` (whether to compute in true float64), ``start`` (a trace whose initial
            weights to take, or None), ``trace`` (where to save) and ``shaken`` (where to save
            further traces, each shaken as float32 rounding would shake it). With ``excerpt``
            (``stage``, ``place`` and ``path``) no trace is recorded, but one layer saved.
        emit: called with one dict of plain values per event.
    """
    backends.current().full_precision()
    if job["float64"]:
        float64.install()
    asked = same_random.install(job["seed"])
    xs, ys = _load(job["data"], keras.config.floatx())
    model = subject.build(job["build"], xs)
    start = Trace.load(job["start"]).values("start") if job["start"] else None
    drawn = _Recorder(model, xs, ys, job).weights()
    _restart(model, start)
    ys = ys or _targets(model, xs, job["seed"])
    if job["excerpt"]:
        _Recorder(model, xs, ys, job).save_excerpt(**job["excerpt"])
        return
    # What was drawn is what the first rung compares; all others start from the same numbers.
    stages = {"start": drawn, **_Recorder(model, xs, ys, job).record()}
    about = {
        **describe(),
        "precision": "float64" if job["float64"] else "float32, TF32 off",
        "model": _digest(model),
        "data": hashlib.sha256(b"".join(a.astype("<f4").tobytes() for a in xs)).hexdigest(),
        "seed": job["seed"],
        "not_comparable": sorted(asked),
        "optimizer_roundoff": _optimizer_roundoff(model.optimizer),
    }
    Trace(about, stages).save(job["trace"])
    for run, path in enumerate(job["shaken"], 1):
        random.seed(job["seed"])  # the same seeds for the same layers
        twin = subject.build(job["build"], xs)
        _restart(twin, nudged(start, job["seed"], run))
        _shake(twin.optimizer, terms_of_a_step(stages), job["seed"], run)
        Trace(about, {"start": drawn, **_Recorder(twin, xs, ys, job).record()}).save(path)
    emit({"event": "trace", "about": about})


class _Recorder:
    """Runs one model through the stages of a trace, each from the same start."""

    def __init__(self, model, xs, ys, job):
        self.model, self.xs, self.ys, self.job = model, xs, ys, job
        self.owners = _owners(model)
        self.start = [ops.convert_to_numpy(v) for v in model.variables]

    def record(self):
        """Dict of stage to entries, as a `Trace` holds them."""
        batch = self._batch(0)
        stages = {"order": self._order()}
        stages["forward"] = self._layers(batch[0], training=False)
        stages["training forward"] = self._layers(batch[0], training=True)
        stages["gradient"] = self._gradients(*batch)
        losses = []
        for step in range(self.job["steps"]):
            losses.append(self._step(*self._batch(step)))
            if step == 0:
                stages["one step"] = self.weights()
        stages["losses"] = [
            {"name": f"step {step}", "layer": "", "terms": 0, "values": np.asarray(loss)}
            for step, loss in enumerate(losses, 1)
        ]
        return stages

    def _batch(self, step):
        """(inputs, targets) of one step."""
        chosen = self._chosen(step)
        return [x[chosen] for x in self.xs], [y[chosen] for y in self.ys]

    def _chosen(self, step):
        """Which samples make up the batch of one step, in the project's own order."""
        n = len(self.xs[0])
        size = min(self.job["batch_size"], n)
        epoch, place = divmod(step, n // size)
        return permutation(self.job["seed"], epoch, n)[place * size : (place + 1) * size]

    def _order(self):
        return [
            {"name": f"step {step + 1}", "layer": "", "terms": 0, "values": self._chosen(step)}
            for step in range(self.job["steps"])
        ]

    def weights(self):
        """The weights as they are, as entries."""
        return [self._entry(variable, variable) for variable in self.model.weights]

    def _entry(self, variable, values):
        """One weight's name, its layer's class, and values that belong to it."""
        layer = self.owners.get(id(variable))
        name = f"{layer.name}/{variable.name}" if layer else variable.path
        return {
            "name": name,
            "layer": type(layer).__name__ if layer else "",
            "terms": 0,
            "values": np.array(ops.convert_to_numpy(values)),
        }

    def _layers(self, xs, training):
        """What each layer gives, in the order in which the layers end."""
        with watched_layers() as calls:
            self._forward(xs, training)
        self._restore()
        return [
            {
                "name": layer.name,
                "layer": type(layer).__name__,
                "terms": _terms(layer, values),
                "values": values,
            }
            for layer, _, outputs in calls
            for values in outputs
        ]

    def _forward(self, xs, training):
        inputs = [ops.convert_to_tensor(x) for x in xs]
        self.model(subject.one_or_list(inputs), training=training)

    def save_excerpt(self, stage, place, path):
        """Save the layer behind one entry of a forward stage, with its inputs and weights."""
        with watched_layers() as calls:
            self._forward(self._batch(0)[0], training=stage == "training forward")
        self._restore()
        entries = [(layer, inputs) for layer, inputs, outputs in calls for _ in outputs]
        layer, inputs = entries[place]
        arrays = {f"input{i}": array for i, array in enumerate(inputs)}
        arrays |= {f"weight{i}": ops.convert_to_numpy(w) for i, w in enumerate(layer.weights)}
        np.savez(path, layer=json.dumps(keras.saving.serialize_keras_object(layer)), **arrays)

    def _gradients(self, xs, ys):
        """The loss of one batch, and its gradient for each weight."""
        x, y = (
            subject.one_or_list([ops.convert_to_tensor(array) for array in arrays])
            for arrays in (xs, ys)
        )
        variables = self.model.trainable_variables

        def loss():
            found = self.model(x, training=True)
            return self.model.compute_loss(x=x, y=y, y_pred=found, training=True)

        value, gradients = backends.current().gradients(loss, variables)
        self._restore()
        loss_entry = {"name": "loss", "layer": "", "terms": 0, "values": value}
        return [loss_entry, *map(self._entry, variables, gradients)]

    def _step(self, xs, ys):
        self.model.reset_metrics()
        logs = self.model.train_on_batch(
            subject.one_or_list(xs), subject.one_or_list(ys), return_dict=True
        )
        return logs["loss"]

    def _restore(self):
        """Undo what a training pass left in running means and counters."""
        for variable, value in zip(self.model.variables, self.start, strict=True):
            variable.assign(value)


def _optimizer_roundoff(optimizer):
    """Relative error that a float32 bias correction can have, 0 for an optimizer without one."""
    beta = getattr(optimizer, "beta_2", None)
    return 0.0 if beta is None else UNIT_ROUNDOFF / (1.0 - float(beta))


def _shake(optimizer, terms, seed, run):
    """Change each gradient by the rounding that a sum of ``terms`` float32 terms can have.

    An optimizer may amplify this far beyond what weights show: Adam divides a gradient by its
    own size, so that where it is all but zero, its rounding decides on the step.
    """
    amplitude = UNIT_ROUNDOFF * terms**0.5
    real = optimizer.apply

    def apply(grads, trainable_variables=None):
        shaken = []
        for place, gradient in enumerate(grads):
            bits = stream(seed, f"shake/{place}", run).random_raw(int(np.prod(gradient.shape)))
            signs = np.where(bits >> np.uint64(63), 1.0, -1.0).reshape(gradient.shape)
            size = amplitude * ops.max(ops.abs(gradient))
            shaken.append(gradient + size * ops.convert_to_tensor(signs, gradient.dtype))
        return real(shaken, trainable_variables)

    optimizer.apply = apply


def _load(path, floatx):
    with np.load(path, allow_pickle=False) as file:
        parts = [
            [file[f"{kind}{i}"] for i in range(sum(n.startswith(kind) for n in file.files))]
            for kind in "xy"
        ]
    return [[a.astype(floatx) if a.dtype.kind == "f" else a for a in arrays] for arrays in parts]


def _targets(model, xs, seed):
    """The inputs where outputs have their shapes, else numbers on [0, 1) of the outputs' shapes."""
    outputs = keras.tree.flatten(model.predict(subject.one_or_list([x[:2] for x in xs]), verbose=0))
    if [o.shape[1:] for o in outputs] == [x.shape[1:] for x in xs]:
        return xs
    made = []
    for place, output in enumerate(outputs):
        shape = (len(xs[0]), *output.shape[1:])
        bits = stream(seed, f"target/{place}").random_raw(int(np.prod(shape)))
        made.append(((bits >> np.uint64(40)) * 2.0**-24).reshape(shape).astype(output.dtype))
    return made


def _restart(model, weights):
    """Set the initial weights to those of another process; None leaves them as they were drawn."""
    if weights is not None:
        for variable, values in zip(model.weights, weights, strict=True):
            variable.assign(values.astype(variable.dtype))


def _terms(layer, values):
    """How many terms a value of a layer's output is a sum of, as far as its own weights tell."""
    own = [v for v in layer._trainable_variables + layer._non_trainable_variables if len(v.shape)]
    kernels = [int(np.prod(v.shape[:-1])) for v in own if len(v.shape) > 1]
    if kernels:
        return max(kernels)
    # Normalisation: means over all samples and places that share a channel.
    return max([values.size // v.shape[0] for v in own if v.shape[0]], default=1)


def _owners(model):
    """Dict of a variable's id to the layer that made it."""
    return {
        id(variable): layer
        for layer in model._flatten_layers(include_self=True, recursive=True)
        for variable in layer._trainable_variables + layer._non_trainable_variables
    }


def _digest(model):
    """A digest of classes, names and weights' shapes: equal for traces of one model."""
    layers = model._flatten_layers(include_self=True, recursive=True)
    parts = [[type(layer).__name__, [list(v.shape) for v in layer.weights]] for layer in layers]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
