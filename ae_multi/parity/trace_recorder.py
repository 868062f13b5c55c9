"""Recorder of the values that a backend computes in the first steps of a training."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi import backends
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, own_variables
from ae_multi.data.batches import steps_in_epoch
from ae_multi.parity import model_builder, sums
from ae_multi.parity.bounds import UNIT_ROUNDOFF, terms_of_a_step
from ae_multi.parity.gradient_sums import gradient_sums, gradient_terms
from ae_multi.parity.layer_hooks import LayerCall, watched_layers
from ae_multi.parity.plan_steps import PlanSteps
from ae_multi.parity.precision import unit_roundoff
from ae_multi.parity.term_counts import terms_of_layer
from ae_multi.randomness.streams import permutation

ops = keras.ops


class TraceRecorder:
    """Recorder of the stages of a trace of one model.

    Args:
        model: a compiled Keras model at its initial weights.
        xs: list of input arrays, one for each input of the model.
        ys: list of target arrays, one for each output.
        seed: integer, seed of the batch order.
        batch_size: samples per batch; the last batch of an epoch may be smaller.
        with_sums: whether to measure summation errors, see `ae_multi.parity.sums`.
        plan: name of the plan that takes the steps, or None for Keras's train step.
    """

    def __init__(
        self,
        model: keras.Model,
        xs: Sequence[np.ndarray],
        ys: Sequence[np.ndarray],
        seed: int,
        batch_size: int,
        with_sums: bool = False,
        plan: str | None = None,
    ) -> None:
        self.model, self.xs, self.ys = model, xs, ys
        self.seed, self.plan = seed, plan
        self._by_plan: PlanSteps | None = None
        self.batch_size = min(batch_size, len(xs[0]))
        self.steps_per_epoch = steps_in_epoch(len(xs[0]), self.batch_size)
        self._owners = _owners(model)
        self._start = [ops.convert_to_numpy(v) for v in model.variables]
        self._epoch: int | None = None
        self._permutation = np.empty(0, np.int64)
        self._with_sums = with_sums
        self._roundoff = unit_roundoff(model)
        self._calls: list[LayerCall] = []
        self._terms: float = 0
        # Summation errors of the statistics of normalisation layers, by id of the weight.
        self._statistic_sums: dict[int, dict[str, Any]] = {}

    def forward(self, steps: int) -> dict[str, list[dict[str, Any]]]:
        """Return the stages without gradients as a dict of stage to entries of a `Trace`.

        Args:
            steps: number of steps whose batch order is recorded.
        """
        inputs = self.batch(0)[0]
        stages = {"order": self._order(steps)}
        used, _ = self._layers(inputs, training=False)
        trained, draws = self._layers(inputs, training=True)
        stages |= {"noise": draws, "forward": used, "training forward": trained}
        self._terms = terms_of_a_step(stages)
        return stages

    def steps(
        self, steps: int, on_step: Callable[[], object] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the stages of gradients and training steps as a dict of stage to entries.

        With summation errors, call `forward` first.

        Args:
            steps: number of steps to take.
            on_step: called after each step, or None.
        """
        return {"gradient": self._gradients(*self.batch(0)), **self.losses(steps, on_step)}

    def losses(
        self, steps: int, on_step: Callable[[], object] | None = None
    ) -> dict[str, list[dict[str, Any]]]:
        """Return the stages of `steps` without the gradients: "one step" and "losses"."""
        stages, losses = {}, []
        for step in range(steps):
            losses.append(self.step(step))
            if step == 0:
                stages["one step"] = self.weights(self._statistic_sums)
            if on_step is not None:
                on_step()
        stages["losses"] = [entry(f"step {n}", loss) for n, loss in enumerate(losses, 1)]
        return stages

    def step(self, step: int) -> Any:
        """Take one training step and return its loss."""
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

    def weights(self, known: Mapping[int, Mapping[str, Any]] | None = None) -> list[dict[str, Any]]:
        """Return the current weights as entries.

        Args:
            known: dict of a weight's id to further values of its entry, or None.
        """
        known = known or {}
        return [self._weight_entry(v, v, **known.get(id(v), {})) for v in self.model.weights]

    def save_layer(self, stage: str, place: int, path: os.PathLike[str] | str) -> None:
        """Save the layer of one entry of a forward stage, with its inputs and weights, as .npz.

        Args:
            stage: "forward" or "training forward".
            place: position of the entry in its stage, from 0.
            path: the .npz file to write.
        """
        with watched_layers() as (calls, _):
            self._forward(self.batch(0)[0], training=stage == "training forward")
        self._restore()
        entries = [(call, output) for call in calls for output in range(len(call.outputs))]
        call, output = entries[place]
        layer = call.layer
        arrays = {f"input{i}": array for i, array in enumerate(call.inputs)}
        arrays |= {f"keyword_{name}": array for name, array in call.keywords.items()}
        arrays |= {"output": np.array(output), "has_list": np.array(call.has_list)}
        arrays |= {f"weight{i}": ops.convert_to_numpy(w) for i, w in enumerate(layer.weights)}
        config = json.dumps(keras.saving.serialize_keras_object(layer))
        np.savez(path, layer=config, **arrays)  # type: ignore[arg-type]

    def batch_sizes(self) -> list[int]:
        """Return the number of samples of each batch of an epoch."""
        return [len(self._chosen(step)) for step in range(self.steps_per_epoch)]

    def batch(self, step: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return (list of input arrays, list of target arrays) of one step, counted from 0."""
        chosen = self._chosen(step)
        return [x[chosen] for x in self.xs], [y[chosen] for y in self.ys]

    def _chosen(self, step: int) -> np.ndarray:
        """Return the indices of the samples in the batch of one step, as in `ae_multi.fit`."""
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch = epoch
            self._permutation = permutation(self.seed, epoch, len(self.xs[0]))
        return self._permutation[place * self.batch_size : (place + 1) * self.batch_size]

    def _order(self, steps: int) -> list[dict[str, Any]]:
        return [entry(f"step {step + 1}", self._chosen(step)) for step in range(steps)]

    def _weight_entry(self, variable: Any, values: Any, **more: Any) -> dict[str, Any]:
        """Return an entry with a weight's name, its layer's class, and ``values``."""
        layer = self._owners.get(id(variable))
        name = f"{layer.name}/{variable.name}" if layer else variable.path
        return entry(name, np.array(ops.convert_to_numpy(values)), layer, **more)

    def _layers(
        self, xs: Sequence[np.ndarray], training: bool
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return (entries of each layer's outputs, entries of the random bits that it draws).

        The entries are in the order in which the calls of the layers end.
        """
        with watched_layers() as (calls, draws):
            self._forward(xs, training)
        self._restore()
        outputs_of_layers = [
            entry(
                layer.name,
                values,
                layer,
                self._terms_in(terms_of_layer(layer, inputs, values)),
                **(sums.forward_sums(layer, inputs, values, training) if self._with_sums else {}),
            )
            for layer, inputs, outputs, *_ in calls
            for values in outputs
        ]
        if self._with_sums and training:
            self._calls = calls
            for layer, inputs, *_ in calls:
                self._statistic_sums |= sums.statistic_sums(layer, inputs)
        return outputs_of_layers, [entry(layer.name, bits, layer) for layer, bits in draws]

    def _terms_in(self, terms: int) -> float:
        """Return the number of terms with the model's unit roundoff that ``terms`` amount to.

        In bfloat16 and float16 the sum of the terms is rounded once, and the terms are added in
        float32. So they count as one, and as many as have the same error in float32.
        """
        if self._roundoff == UNIT_ROUNDOFF:
            return terms
        return 1 + terms * (UNIT_ROUNDOFF / self._roundoff) ** 2

    def _forward(self, xs: Sequence[np.ndarray], training: bool) -> None:
        inputs = [ops.convert_to_tensor(x) for x in xs]
        self.model(model_builder.one_or_list(inputs), training=training)

    def _gradients(
        self, xs: Sequence[np.ndarray], ys: Sequence[np.ndarray]
    ) -> list[dict[str, Any]]:
        """Return entries of the loss of one batch and of its gradient for each weight."""
        x, y = (
            model_builder.one_or_list([ops.convert_to_tensor(array) for array in arrays])
            for arrays in (xs, ys)
        )
        variables = self.model.trainable_variables

        def loss():
            y_pred = self.model(x, training=True)
            return self.model.compute_loss(x=x, y=y, y_pred=y_pred, training=True)

        value, gradients = backends.current().gradients(loss, variables)
        self._restore()
        known: dict[int, dict[str, Any]] = {}
        if self._with_sums:
            terms = gradient_terms(self._calls)
            known = {key: {"terms": self._terms_in(n)} for key, n in terms.items()}
            for key, values in gradient_sums(loss, self._calls, self._terms).items():
                known[key] |= values
            self._restore()
            self._calls = []
        return [
            entry("loss", value),
            *(
                self._weight_entry(variable, gradient, **known.get(id(variable), {}))
                for variable, gradient in zip(variables, gradients, strict=True)
            ),
        ]

    def _restore(self) -> None:
        """Restore running means and counters that a training pass has changed."""
        for variable, value in zip(self.model.variables, self._start, strict=True):
            variable.assign(value)


def entry(
    name: str,
    values: Any,
    layer: keras.layers.Layer | None = None,
    terms: float = 0,
    **more: Any,
) -> dict[str, Any]:
    """Return one entry of a stage of a `Trace`.

    Args:
        name: name of the layer, the weight or the step.
        values: array or number.
        layer: the layer, whose class is recorded; or None.
        terms: number of terms that each value is a sum of.
        **more: further items of the entry, such as ``scale``, ``summation`` or ``each``.
    """
    kind = "" if layer is None else type(layer).__name__
    return {"name": name, "layer": kind, "terms": terms, "values": _numbers(values), **more}


def _numbers(values: Any) -> np.ndarray:
    """Return values as an array of booleans, integers or floats, which .npz files support.

    Complex numbers become pairs (real part, imaginary part) along a new last axis.
    """
    values = np.asarray(values)
    if values.dtype.kind == "c":
        return np.stack([values.real, values.imag], axis=-1)
    # Other dtypes, such as bfloat16, are not part of NumPy.
    return values if values.dtype.kind in "biuf" else values.astype(np.float32)


def _owners(model: keras.Model) -> dict[int, keras.layers.Layer]:
    """Return a dict of a variable's id to the layer that created it."""
    return {
        id(variable): layer for layer in flatten_layers(model) for variable in own_variables(layer)
    }
