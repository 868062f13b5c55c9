"""Many steps of a Keras model in one program of TensorFlow.

Keras's `train_step` is traced once, and called by a loop within one compiled function.

    loop-xla   the loop compiled by XLA: several times faster on dense networks, but on a CPU
               XLA may not finish compiling convolutions
    loop       the loop run by TensorFlow's own executor
    step       the traced step, called from Python
"""

import numpy as np
import tensorflow as tf

from ae_multi import _jit_compile
from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers
from ae_multi.backends.device_data import DeviceData, cached, flat
from ae_multi.backends.layer_queries import draws, has_convolutions
from ae_multi.backends.snapshot import others
from ae_multi.backends.tensorflow.compile import compiled
from ae_multi.backends.tensorflow.device import on_cpu, zero_copy


def plans(model):
    """Plans for ``model`` as (name, seconds that building one may take), the first to be tried."""
    by_xla, plain = [("loop-xla", 10.0)], [("loop", 2.0), ("step", 1.0)]
    if _jit_compile.is_refused(model):
        return plain
    if draws(model):
        # XLA draws other numbers from the same seeds; Keras's `fit` says which are meant.
        return by_xla if model.jit_compile else plain
    if model.jit_compile:
        return by_xla + plain
    if has_convolutions(model) or not all(layer.supports_jit for layer in flatten_layers(model)):
        return [*plain, ("loop-xla", np.inf)]
    # On a CPU it took 1.0 s for 4 weights and 3.8 s for 20.
    building = 0.3 + 0.18 * len(model.trainable_variables) if on_cpu() else 5.0
    return [plain[0], ("loop-xla", building), plain[1]]


def to_device(data):
    """Nested arrays as `DeviceData` on the device, as they are stored.

    A list becomes a tuple, as Keras's data sets make it.
    """
    return DeviceData(keras.tree.lists_to_tuples(data), zero_copy)


class Steps:
    """Runs steps of a compiled and built model on held data; see JAX's `Steps`."""

    def __init__(self, model, device_data, plan, training, batch_size, max_steps):
        self._model, self._data = model, device_data
        self._batch_size, self._max_steps = batch_size, max_steps
        self._variables = [
            *model.trainable_variables,
            *model.non_trainable_variables,
            *(model.optimizer.variables if training else []),
            *model.metrics_variables,
        ]
        self._state = None  # the variables that `snapshot` reads, looked up once
        step = model.train_step if training else model.test_step
        self._run = self._each if plan == "step" else self._loop
        make = {"step": _one, "loop": _many, "loop-xla": _compiled}[plan]
        self._training, self._key = training, (plan, training, device_data.signature)
        self._program = cached(model, self._key, lambda: make(step, device_data))

    def run(self, indices):
        """One step for each row; see JAX's `Steps.run`."""
        logs = self._run(indices)
        return {name: np.asarray(values)[: len(indices)] for name, values in logs.items()}

    def snapshot(self):
        """The state as it is, for `restore`.

        Nothing is copied here: TensorFlow copies a value that somebody holds before it changes a
        variable.
        """
        if self._state is None:
            self._state = [*self._variables, *others(self._model, self._variables)]
        key = "read", self._training, len(self._state)  # a step may build an optimizer
        return cached(self._model, key, lambda: _reading(self._state))()

    def restore(self, state):
        """Set the model's variables to a state."""
        for variable, value in zip(self._state, state, strict=True):
            variable.assign(value)

    def _loop(self, indices):
        # Runs of any length are one program: the rows are filled up and the steps counted.
        size = indices.shape[1]
        rows = max(self._max_steps, len(indices)) if size == self._batch_size else 1
        filled = np.zeros((rows, size), np.int32)
        filled[: len(indices)] = indices
        given = self._data.arrays, tf.constant(filled), tf.constant(len(indices))
        # TensorFlow takes half a millisecond to find out which of its traces fits.
        key = *self._key, filled.shape, *(array.shape for array in self._data.arrays)
        traced = cached(self._model, key, lambda: self._program.get_concrete_function(*given))
        return traced(*given)

    def _each(self, indices):
        collected = [self._program(self._data.arrays, tf.constant(row)) for row in indices]
        return {name: np.stack([logs[name].numpy() for logs in collected]) for name in collected[0]}


def _reading(variables):
    """A function that returns the values of all variables.

    It is one call. A call for each takes as long as some steps of a small network.
    """
    values = [variable.value for variable in variables]
    return compiled(lambda: [value.read_value() for value in values]).get_concrete_function()


def _one(step, device_data):
    """The step on rows of the held arrays.

    It is traced for batches of any size, as Keras does: some of Keras's metrics weigh a batch by
    its size where the trace knows it, and not where it does not.
    """

    def one(arrays, row):
        return flat(step(device_data.assemble([tf.gather(array, row) for array in arrays])))

    specs = [tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in device_data.arrays]
    traced = compiled(one)
    return traced.get_concrete_function(specs, tf.TensorSpec((None,), tf.int32))


def _many(step, device_data, jit_compile=None):
    one = _one(step, device_data)
    logs = one.structured_outputs

    def many(arrays, indices, count):
        rows = indices.shape[0]

        def body(place, collected):
            found = one(arrays, indices[place])
            return place + 1, {
                name: collected[name].write(place, found[name]) for name in collected
            }

        collected = {
            name: tf.TensorArray(log.dtype, rows, element_shape=log.shape)
            for name, log in logs.items()
        }
        _, collected = tf.while_loop(lambda place, collected: place < count, body, (0, collected))
        return {name: values.stack() for name, values in collected.items()}

    return compiled(many, jit_compile=jit_compile)


def _compiled(step, device_data):
    return _many(step, device_data, jit_compile=True)
