"""Many steps of a Keras model in one program of JAX.

Keras's `train_step` on JAX is a pure function of (state, batch) to (logs, state) already; what
is added is the loop around it and the data beside it.

    scan         a loop inside one program: Python is asked once for many steps
    scan-eigen   the same on a CPU with Eigen's products of matrices in the place of YNNPACK's:
                 ahead where layers are narrow, behind where they are few or batches large
    step         one program a step. Convolutions want it on a CPU: inside a loop XLA runs them on
                 one thread and several times slower
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from ae_multi._keras_internals import assign_raw_values, raw_values
from ae_multi.backends.device_data import DeviceData, cached, flat
from ae_multi.backends.jax.device import compiler_options, has_eigen, on_cpu
from ae_multi.backends.jax.optimizations.convolutions import suited
from ae_multi.backends.jax.program_cache import Program
from ae_multi.backends.layer_queries import has_convolutions

# A last, smaller batch is a program of its own. Where it is one step in a hundred or more, that
# had better be compiled soon than well.
_MIN_STEPS_PER_EPOCH = 100


def plans(model):
    """Plans for ``model`` as (name, seconds that building one may take), the first to be tried."""
    loops = [("scan", 2.0), *([("scan-eigen", 2.0)] if has_eigen() else [])]
    step = ("step", 2.0)
    first = on_cpu() and has_convolutions(model)
    return [step, *loops] if first else [*loops, step]


def to_device(data):
    """Nested arrays as `DeviceData` on the device, as they are stored."""
    return DeviceData(data, jax.device_put)


class Steps:
    """Runs steps of a compiled and built model on held data.

    Args:
        model: a `keras.Model`; its variables hold the state before and after each `run`.
        device_data: what `to_device` returned for (x, y, sample_weight).
        plan: a name among `plans`.
        training: whether to train, or else to evaluate.
        batch_size: samples in a full batch.
        max_steps: the largest number of full batches that one `run` is asked for.
    """

    def __init__(self, model, device_data, plan, training, batch_size, max_steps):
        self._data, self._batch_size, self._max_steps = device_data, batch_size, max_steps
        self._groups = [
            model.trainable_variables,
            model.non_trainable_variables,
            *([model.optimizer.variables] if training else []),
            model.metrics_variables,
        ]
        loop = plan != "step"
        self._run = self._scan if loop else self._each
        # Forward alone Eigen is ahead, or a few per cent behind.
        eigen = plan == "scan-eigen" or not training

        def program(soon):
            step = _one(model.train_step if training else model.test_step, device_data.assemble)
            step = suited(step, model)
            # The state is not donated, though it could be: on a GPU a loop that may write over it
            # is several times slower (480 µs instead of 84 for a step of a DeepAutoencoder).
            options = compiler_options(loop, soon, eigen)
            return Program(_many(step) if loop else step, options)

        key, soon = (plan, training, device_data.signature), max_steps >= _MIN_STEPS_PER_EPOCH
        self._full = cached(model, key, lambda: program(False))
        self._rest = cached(model, (*key, "rest"), lambda: program(True)) if soon else self._full

    def run(self, indices):
        """One step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of name to the logs after each step, NumPy arrays of shape (steps, ...).
        """
        state, logs = self._run(self.snapshot(), indices)
        logs = {name: np.asarray(values)[: len(indices)] for name, values in logs.items()}
        self.restore(state)
        return logs

    def snapshot(self):
        """The state as it is, for `restore`."""
        # Past `value` and `assign`, which look at each variable's state and at what it is given;
        # for all variables together that takes as long as some steps of a small network.
        return tuple(raw_values(group) for group in self._groups)

    def restore(self, state):
        """Set the model's variables to a state."""
        for group, values in zip(self._groups, state, strict=True):
            assign_raw_values(group, values)

    def _scan(self, state, indices):
        # Runs of any length are one program: the rows are filled up and the steps counted.
        size = indices.shape[1]
        rows = max(self._max_steps, len(indices)) if size == self._batch_size else 1
        filled = np.zeros((rows, size), np.int32)
        filled[: len(indices)] = indices
        return self._of(size)(self._shapes(filled), state, self._data.arrays, filled, len(indices))

    def _each(self, state, indices):
        program, collected = self._of(indices.shape[1]), []
        shapes = self._shapes(indices[0])
        for row in indices:
            state, logs = program(shapes, state, self._data.arrays, row)
            collected.append(logs)
        return state, {name: np.stack([logs[name] for logs in collected]) for name in collected[0]}

    def _shapes(self, indices):
        """What differs between the uses of one program."""
        return indices.shape, len(self._data.arrays[0])

    def _of(self, size):
        """The program for batches of ``size`` samples."""
        return self._full if size == self._batch_size else self._rest


def _one(step, assemble):
    def program(state, arrays, row):
        # Rows are known to be within bounds, which JAX cannot know.
        batch = assemble([jnp.take(array, row, axis=0, mode="clip") for array in arrays])
        logs, state = step(state, batch)
        return state, flat(logs)

    return program


def _many(one):
    def program(state, arrays, indices, count):
        # Tracing a step of Keras's takes longer than any other part: once has to do.
        traced, shapes = jax.make_jaxpr(one, return_shape=True)(state, arrays, indices[0])
        again = core.jaxpr_as_fun(traced)

        def body(place, carried):
            state, collected = carried
            found = again(*jax.tree.leaves((state, arrays, indices[place])))
            state, logs = jax.tree.unflatten(jax.tree.structure(shapes), found)
            return state, {name: collected[name].at[place].set(logs[name]) for name in collected}

        rows = len(indices)
        collected = {
            name: jnp.zeros((rows, *log.shape), log.dtype) for name, log in shapes[1].items()
        }
        return jax.lax.fori_loop(0, count, body, (state, collected))

    return program
