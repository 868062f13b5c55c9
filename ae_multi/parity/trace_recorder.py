"""What one backend computes in the first steps of a training."""

import json

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, own_variables
from ae_multi.data.batches import steps_in_epoch
from ae_multi.parity import model_builder, sums
from ae_multi.parity.bounds import terms_of_a_step
from ae_multi.parity.layer_hooks import watched_layers
from ae_multi.parity.plan_steps import PlanSteps
from ae_multi.randomness.streams import permutation

ops = keras.ops


class TraceRecorder:
    """Runs one model through the stages of a trace.

    Args:
        model: a compiled Keras model, at its start.
        xs: list of inputs.
        ys: list of targets.
        seed: integer, of the batch order.
        batch_size: samples in a batch; the last batch of an epoch may be smaller.
        with_sums: whether to measure the sums behind the values, see `ae_multi.parity.sums`.
        plan: name of the plan that takes the steps, or None for Keras's own step.
    """

    def __init__(self, model, xs, ys, seed, batch_size, with_sums=False, plan=None):
        self.model, self.xs, self.ys = model, xs, ys
        self.seed, self.plan, self._by_plan = seed, plan, None
        self.batch_size = min(batch_size, len(xs[0]))
        self.steps_per_epoch = steps_in_epoch(len(xs[0]), self.batch_size)
        self._owners = _owners(model)
        self._start = [ops.convert_to_numpy(v) for v in model.variables]
        self._epoch, self._permutation = None, None
        self._with_sums, self._calls, self._terms = with_sums, [], 0
        # What is known of the sums behind the statistics of normalisation, by a weight's id.
        self._statistic_sums = {}

    def forward(self, steps):
        """Dict of the stages that need no gradient to entries, as a `Trace` holds them."""
        inputs = self.batch(0)[0]
        stages = {"order": self._order(steps)}
        used, _ = self._layers(inputs, training=False)
        trained, draws = self._layers(inputs, training=True)
        stages |= {"noise": draws, "forward": used, "training forward": trained}
        self._terms = terms_of_a_step(stages)
        return stages

    def steps(self, steps, on_step=None):
        """Dict of the stages of gradients and steps to entries.

        Args:
            steps: how many.
            on_step: called after each step, or None.
        """
        return {"gradient": self._gradients(*self.batch(0)), **self.losses(steps, on_step)}

    def losses(self, steps, on_step=None):
        """The stages of the steps alone, see `steps`."""
        stages, losses = {}, []
        for step in range(steps):
            losses.append(self.step(step))
            if step == 0:
                stages["one step"] = self.weights(self._statistic_sums)
            if on_step is not None:
                on_step()
        stages["losses"] = [entry(f"step {n}", loss) for n, loss in enumerate(losses, 1)]
        return stages

    def step(self, step):
        """The loss of one step, which is taken."""
        if self.plan is not None:
            if self._by_plan is None:
                x, y = model_builder.one_or_list(self.xs), model_builder.one_or_list(self.ys)
                self._by_plan = PlanSteps(self.model, x, y, self.plan, self.batch_size)
            return self._by_plan.loss(self._chosen(step))
        xs, ys = self.batch(step)
        self.model.reset_metrics()
        logs = self.model.train_on_batch(
            model_builder.one_or_list(xs), model_builder.one_or_list(ys), return_dict=True
        )
        return logs["loss"]

    def weights(self, known=None):
        """The weights as they are, as entries.

        Args:
            known: dict of a weight's id to further values of its entry, or None.
        """
        known = known or {}
        return [self._weight_entry(v, v, **known.get(id(v), {})) for v in self.model.weights]

    def save_layer(self, stage, place, path):
        """Save the layer behind one entry of a forward stage, with its inputs and weights."""
        with watched_layers() as (calls, _):
            self._forward(self.batch(0)[0], training=stage == "training forward")
        self._restore()
        entries = [(layer, inputs) for layer, inputs, outputs in calls for _ in outputs]
        layer, inputs = entries[place]
        arrays = {f"input{i}": array for i, array in enumerate(inputs)}
        arrays |= {f"weight{i}": ops.convert_to_numpy(w) for i, w in enumerate(layer.weights)}
        np.savez(path, layer=json.dumps(keras.saving.serialize_keras_object(layer)), **arrays)

    def batch_sizes(self):
        """How many samples each batch of an epoch has."""
        return [len(self._chosen(step)) for step in range(self.steps_per_epoch)]

    def batch(self, step):
        """(inputs, targets) of one step."""
        chosen = self._chosen(step)
        return [x[chosen] for x in self.xs], [y[chosen] for y in self.ys]

    def _chosen(self, step):
        """Which samples make up the batch of one step, in the project's own order."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._permutation = permutation(self.seed, epoch, len(self.xs[0]))
        return self._permutation[place * self.batch_size : (place + 1) * self.batch_size]

    def _order(self, steps):
        return [entry(f"step {step + 1}", self._chosen(step)) for step in range(steps)]

    def _weight_entry(self, variable, values, **more):
        """One weight's name, its layer's class, and values that belong to it."""
        layer = self._owners.get(id(variable))
        name = f"{layer.name}/{variable.name}" if layer else variable.path
        return entry(name, np.array(ops.convert_to_numpy(values)), layer, **more)

    def _layers(self, xs, training):
        """(what each layer gives, in the order in which the layers end; the bits each draws)."""
        with watched_layers() as (calls, draws):
            self._forward(xs, training)
        self._restore()
        given = [
            entry(
                layer.name,
                values,
                layer,
                _terms(layer, inputs, values),
                **(sums.forward_sums(layer, inputs, values, training) if self._with_sums else {}),
            )
            for layer, inputs, outputs in calls
            for values in outputs
        ]
        if self._with_sums and training:
            self._calls = calls
            for layer, inputs, _ in calls:
                self._statistic_sums |= sums.statistic_sums(layer, inputs)
        return given, [entry(layer.name, bits, layer) for layer, bits in draws]

    def _forward(self, xs, training):
        inputs = [ops.convert_to_tensor(x) for x in xs]
        self.model(model_builder.one_or_list(inputs), training=training)

    def _gradients(self, xs, ys):
        """The loss of one batch, and its gradient for each weight."""
        x, y = (
            model_builder.one_or_list([ops.convert_to_tensor(array) for array in arrays])
            for arrays in (xs, ys)
        )
        variables = self.model.trainable_variables

        def loss():
            found = self.model(x, training=True)
            return self.model.compute_loss(x=x, y=y, y_pred=found, training=True)

        value, gradients = backends.current().gradients(loss, variables)
        self._restore()
        known = {}
        if self._with_sums:
            known = {key: {"terms": n} for key, n in sums.gradient_terms(self._calls).items()}
            for key, found in sums.gradient_sums(loss, self._calls, self._terms).items():
                known[key] |= found
            self._restore()
            self._calls = []
        return [
            entry("loss", value),
            *(
                self._weight_entry(variable, gradient, **known.get(id(variable), {}))
                for variable, gradient in zip(variables, gradients, strict=True)
            ),
        ]

    def _restore(self):
        """Undo what a training pass left in running means and counters."""
        for variable, value in zip(self.model.variables, self._start, strict=True):
            variable.assign(value)


def entry(name, values, layer=None, terms=0, **more):
    """One entry of a stage, as a `Trace` holds it."""
    kind = "" if layer is None else type(layer).__name__
    return {"name": name, "layer": kind, "terms": terms, "values": _numbers(values), **more}


def _numbers(values):
    """An array of a type that a file of arrays holds and that can be subtracted."""
    values = np.asarray(values)
    if values.dtype.kind == "c":
        return np.stack([values.real, values.imag], axis=-1)
    # NumPy has no type of its own for bfloat16.
    return values if values.dtype.kind in "biuf" else values.astype(np.float32)


def _terms(layer, inputs, values):
    """How many terms a value of a layer's output is a sum of, as far as its own weights tell."""
    if isinstance(layer, keras.layers.RNN):
        # Its cell runs at every turn of a loop, where nothing is watched.
        return inputs[0].shape[1] * sum(int(np.prod(v.shape[:-1])) for v in layer.weights)
    own = [v for v in own_variables(layer) if len(v.shape)]
    kernels = [int(np.prod(v.shape[:-1])) for v in own if len(v.shape) > 1]
    if kernels:
        return max(kernels)
    # Normalisation: means over all samples and places that share a channel.
    return max([values.size // v.shape[0] for v in own if v.shape[0]], default=1)


def _owners(model):
    """Dict of a variable's id to the layer that made it."""
    return {
        id(variable): layer for layer in flatten_layers(model) for variable in own_variables(layer)
    }
