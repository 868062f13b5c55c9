"""Many steps of a Keras model in one TensorFlow program.

Keras's `train_step` is traced once and called in a loop within one compiled function. The plans:

    loop-xla   the loop compiled by XLA: faster on dense networks, but on a CPU XLA may not finish
               compiling convolutions
    loop       the loop run by TensorFlow's executor
    step       the traced step, called from Python

In a group of workers a step needs a message between the gradients and their use (`split_step`).
The plans "loop" and "step" contain it, and there is one more:

    halves     the loop run by TensorFlow's executor, each step before and after the message
               compiled by XLA
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ae_multi import _jit_compile
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers
from ae_multi.backends.collectives.tensorflow import communication
from ae_multi.backends.device_data import DeviceData, cached, flat
from ae_multi.backends.layer_queries import draws, has_convolutions
from ae_multi.backends.reachable import others
from ae_multi.backends.tensorflow.compile import compiled
from ae_multi.backends.tensorflow.device import on_cpu, zero_copy
from ae_multi.backends.tensorflow.split_step import SplitStep, can_be_split
from ae_multi.workers.group import Group
from ae_multi.workers.group import current as current_group
from ae_multi.workers.splitting import own_rows


def plans(model: keras.Model) -> list[tuple[str, float]]:
    """Return the plans for ``model`` in order of preference, as (name, expected build seconds)."""
    by_xla, plain = [("loop-xla", 10.0)], [("loop", 2.0), ("step", 1.0)]
    if _jit_compile.is_refused(model):
        return plain
    if draws(model):
        # XLA draws other random numbers from the same seeds: follow the compiler of Keras's `fit`.
        return by_xla if model.jit_compile else plain
    if model.jit_compile:
        return by_xla + plain
    if has_convolutions(model) or not all(layer.supports_jit for layer in flatten_layers(model)):
        return [*plain, ("loop-xla", np.inf)]
    # Measured on a CPU after the plan "loop", which traces the step: 0.4 s for 4 weights and 1.3 s
    # for 20. At least 1.1 s, so that the plan "step" counts as the one that is built soonest.
    building = max(0.3 + 0.05 * len(model.trainable_variables), 1.1) if on_cpu() else 5.0
    return [plain[0], ("loop-xla", building), plain[1]]


def worker_plans(model: keras.Model) -> list[str]:
    """Return the plans that can split steps over workers, the default first."""
    if not can_be_split(model):
        return []
    by_xla = [] if _jit_compile.is_refused(model) or draws(model) else ["halves"]
    return ["loop", *by_xla, "step"]


def to_device(data: Sequence[Any]) -> DeviceData:
    """Put (x, y, sample_weight) on the device, on a CPU without a copy where possible.

    Lists become tuples, as in Keras's data sets.
    """
    return DeviceData(keras.tree.lists_to_tuples(data), zero_copy)


class Steps:
    """Run steps of a compiled and built model on data on the device.

    See `ae_multi.backends.protocol.Steps` for the arguments and methods.
    """

    def __init__(
        self,
        model: keras.Model,
        device_data: DeviceData,
        plan: str,
        training: bool,
        batch_size: int,
        max_steps: int,
    ) -> None:
        self._model, self._data = model, device_data
        self._batch_size, self._max_steps = batch_size, max_steps
        self._variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *(model.optimizer.variables if training else []),
            *model.metrics_variables,
        ]
        # The variables that `snapshot` reads, collected once.
        self._state: Any = None
        self._plan, self._training = plan, training
        self._run = self._each if plan == "step" else self._loop

    def run(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Run one step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of name to the logs after each step, of shape (steps, ...).
        """
        group = current_group() if self._training else None
        indices, split = own_rows(group, indices, self._batch_size)
        with communication() if split else contextlib.nullcontext():
            logs = self._run(indices, split)
            return {name: np.asarray(values)[: len(indices)] for name, values in logs.items()}

    def snapshot(self) -> Sequence[Any]:
        """Return the current state, for `restore`.

        No copy is made: TensorFlow copies a referenced value before it changes a variable.
        """
        if self._state is None:
            self._state = [*self._variables, *others(self._model, self._variables)]
        key = "read", self._training, len(self._state)  # a step may build an optimizer
        return cached(self._model, key, lambda: _reading(self._state))()

    def restore(self, state: Sequence[Any]) -> None:
        """Set all variables to a state from `snapshot`."""
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)

    def _step(self, split: Group | None) -> Any:
        """Return the traced step of (arrays, row of indices), split over a group or complete."""
        by_xla = self._plan == "halves"
        # Tracing the step takes a third of the time to build a plan, so plans share one trace.
        key = "one", self._training, self._data.signature, split and by_xla, split
        return cached(
            self._model, key, lambda: _one(self._model, self._data, self._training, split, by_xla)
        )

    def _loop(self, indices, split):
        # One program serves runs of any length: rows are padded, and only `count` steps run.
        size = indices.shape[1]
        is_full = split is not None or size == self._batch_size
        rows = max(self._max_steps, len(indices)) if is_full else 1
        padded = np.zeros((rows, size), np.int32)
        padded[: len(indices)] = indices
        inputs = self._data.arrays, tf.constant(padded), tf.constant(len(indices))
        key = self._plan, self._training, self._data.signature, split
        shapes = padded.shape, *(array.shape for array in self._data.arrays)

        def make():
            jit_compile = True if self._plan == "loop-xla" else None
            program = cached(self._model, key, lambda: _many(self._step(split), jit_compile))
            return program.get_concrete_function(*inputs)

        # The cache avoids TensorFlow's search for the matching trace, which takes 0.5 ms.
        traced = cached(self._model, (*key, *shapes), make)
        return traced(*inputs)

    def _each(self, indices, split):
        step = self._step(split)
        collected = [step(self._data.arrays, tf.constant(row)) for row in indices]
        return {name: np.stack([logs[name].numpy() for logs in collected]) for name in collected[0]}


def _reading(variables: Sequence[keras.Variable]) -> Any:
    """Return a function that reads all variables in one call.

    One call for each variable takes as long as several steps of a small network.
    """
    values = [variable.value for variable in variables]
    return compiled(lambda: [value.read_value() for value in values]).get_concrete_function()


def _one(
    model: keras.Model, data: DeviceData, training: bool, split: Group | None, by_xla: bool
) -> Any:
    """Trace the step on rows of the arrays on the device.

    The batch size is unspecified in the trace, as in Keras's: some Keras metrics weight a batch
    by its size only if the size is static.
    """
    step = model.train_step if training else model.test_step

    def batch(arrays, row):
        return data.assemble([tf.gather(array, row) for array in arrays])

    def complete(arrays, row):
        return flat(step(batch(arrays, row)))

    specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in data.arrays]
    traced = compiled(complete if split is None else SplitStep(model, split, batch, by_xla))
    return traced.get_concrete_function(specs, tf.TensorSpec((None,), tf.int32))


def _many(one: Any, jit_compile: bool | None) -> Any:
    """Return a function that runs the traced step ``one`` in a loop over rows of indices."""
    logs = one.structured_outputs

    def many(arrays, indices, count):
        rows = indices.shape[0]

        def body(index, collected):
            logs = one(arrays, indices[index])
            return index + 1, {name: collected[name].write(index, logs[name]) for name in collected}

        collected = {
            name: tf.TensorArray(log.dtype, rows, element_shape=log.shape)
            for name, log in logs.items()
        }
        _, collected = tf.while_loop(lambda index, collected: index < count, body, (0, collected))
        return {name: values.stack() for name, values in collected.items()}

    return compiled(many, jit_compile=jit_compile)
