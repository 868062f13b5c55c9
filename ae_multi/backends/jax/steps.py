"""Many steps of a Keras model in one JAX program.

Keras's `train_step` on JAX is a pure function of (state, batch) to (logs, state). This module adds
the loop over steps and the data on the device. The plans:

    scan         a loop inside one program: one call from Python runs many steps
    scan-eigen   the same on a CPU, with matrix products by Eigen instead of YNNPACK: faster if
                 layers are narrow, slower if there are few layers or batches are large
    step         one program per step: preferred for convolutions on a CPU, which XLA runs on one
                 thread and several times slower inside a loop
"""

import contextlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core

from ae_multi._keras import keras
from ae_multi._keras_internals import assign_raw_values, raw_values
from ae_multi.backends.collectives.jax import communication
from ae_multi.backends.device_data import DeviceData, cached, flat
from ae_multi.backends.jax.device import compiler_options, has_eigen, on_cpu
from ae_multi.backends.jax.optimizations.convolutions import suited
from ae_multi.backends.jax.program_cache import Program
from ae_multi.backends.jax.workers import SplitProgram, is_splittable, local, split_step
from ae_multi.backends.layer_queries import has_convolutions
from ae_multi.workers.group import current
from ae_multi.workers.splitting import own_rows

# A smaller last batch needs its own program. If an epoch has at least this many steps, that
# program is compiled with fewer optimizations to save time.
_MIN_STEPS_PER_EPOCH = 100


def plans(model: keras.Model) -> list[tuple[str, float]]:
    """Return the plans for ``model`` in order of preference, as (name, expected build seconds)."""
    loops = [("scan", 2.0), *([("scan-eigen", 2.0)] if has_eigen() else [])]
    step = ("step", 2.0)
    first = on_cpu() and has_convolutions(model)
    return [step, *loops] if first else [*loops, step]


def worker_plans(model: keras.Model) -> list[str]:
    """Return the plans for ``model`` in a group of workers, in order of preference."""
    return [name for name, _ in plans(model)] if is_splittable(model) else []


def to_device(data: Sequence[Any]) -> DeviceData:
    """Put (x, y, sample_weight) on the device."""
    return DeviceData(data, jax.device_put)


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
        self._data, self._batch_size, self._max_steps = device_data, batch_size, max_steps
        self._workers = current() if training else None
        self._groups = [
            model.trainable_variables,
            model.non_trainable_variables,
            *([model.optimizer.variables] if training else []),
            model.metrics_variables,
        ]
        loop = plan != "step"
        self._run = self._scan if loop else self._each
        # In evaluation Eigen is faster than YNNPACK or at most a few per cent slower.
        eigen = plan == "scan-eigen" or not training

        def program(soon, group=None):
            keras_step = model.train_step if training else model.test_step
            keras_step = split_step(model, group) if group else keras_step
            step = suited(_one(keras_step, device_data.assemble), model)
            # The state is not donated: on a GPU a loop with donated buffers is several times
            # slower (480 µs instead of 84 µs for a step of a DeepAutoencoder).
            options = compiler_options(loop, soon, eigen)
            function = _many(step) if loop else step
            return SplitProgram(function, group, options) if group else Program(function, options)

        key, soon = (plan, training, device_data.signature), max_steps >= _MIN_STEPS_PER_EPOCH
        self._full = cached(model, key, lambda: program(False))
        self._rest = cached(model, (*key, "rest"), lambda: program(True)) if soon else self._full
        if self._workers:
            self._split = cached(model, (*key, "split"), lambda: program(False, self._workers))

    def run(self, indices: np.ndarray) -> dict[str, np.ndarray]:
        """Run one step for each row of ``indices``, int32 (steps, batch).

        Returns:
            Dict of name to the logs after each step, of shape (steps, ...).
        """
        is_full = indices.shape[1] == self._batch_size
        program, rows = (self._full, self._max_steps) if is_full else (self._rest, 1)
        indices, split = own_rows(self._workers, indices, self._batch_size)
        program = self._split if split else program
        with communication() if split else contextlib.nullcontext():
            state, logs = self._run(program, self.snapshot(), indices, rows)
            logs = {name: np.asarray(values)[: len(indices)] for name, values in logs.items()}
        self.restore(local(state) if split else state)
        return logs

    def snapshot(self) -> tuple[list[Any], ...]:
        """Return the current state, for `restore`."""
        # The checks of `Variable.value` and `Variable.assign` would take as long, for all variables
        # together, as several steps of a small network.
        return tuple(raw_values(group) for group in self._groups)

    def restore(self, state: Sequence[Sequence[Any]]) -> None:
        """Set all variables to a state from `snapshot`."""
        for group, values in zip(self._groups, state, strict=True):
            assign_raw_values(group, values)

    def _scan(self, program, state, indices, rows):
        # One program serves runs of any length: rows are padded, and only `count` steps run.
        padded = np.zeros((max(rows, len(indices)), indices.shape[1]), np.int32)
        padded[: len(indices)] = indices
        return program(self._shapes(padded), state, self._data.arrays, padded, len(indices))

    def _each(self, program, state, indices, rows):
        del rows
        collected, shapes = [], self._shapes(indices[0])
        for row in indices:
            state, logs = program(shapes, state, self._data.arrays, row)
            collected.append(logs)
        return state, {name: np.stack([logs[name] for logs in collected]) for name in collected[0]}

    def _shapes(self, indices: np.ndarray) -> Hashable:
        """Return the shapes that differ between calls of one program."""
        return indices.shape, len(self._data.arrays[0])


def _one(step: Callable[..., Any], assemble: Callable[[Sequence[Any]], Any]) -> Callable[..., Any]:
    """Return a function of (state, arrays, row) that runs ``step`` on the rows of one batch."""

    def program(state, arrays, row):
        # Indices are always within bounds; "clip" avoids JAX's default handling of others.
        batch = assemble([jnp.take(array, row, axis=0, mode="clip") for array in arrays])
        logs, state = step(state, batch)
        return state, flat(logs)

    return program


def _many(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs ``one`` in a loop over rows of indices."""

    def program(state, arrays, indices, count):
        # Tracing a Keras step is the slowest part of building a program, so it is traced once.
        traced, shapes = jax.make_jaxpr(one, return_shape=True)(state, arrays, indices[0])
        traced_step = core.jaxpr_as_fun(traced)

        def body(index, carry):
            state, collected = carry
            leaves = traced_step(*jax.tree.leaves((state, arrays, indices[index])))
            state, logs = jax.tree.unflatten(jax.tree.structure(shapes), leaves)
            return state, {name: collected[name].at[index].set(logs[name]) for name in collected}

        rows = len(indices)
        collected = {
            name: jnp.zeros((rows, *log.shape), log.dtype) for name, log in shapes[1].items()
        }
        return jax.lax.fori_loop(0, count, body, (state, collected))

    return program
