"""Training steps that are split over a group of workers, on JAX.

Each worker is a process with one device in a mesh. The state and the data are replicated, and the
columns of the table of indices are split: a worker knows only its own part. The program is a
`jax.shard_map` with one message a step, which sums gradients and the growth of metrics.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from ae_multi._keras import keras
from ae_multi.backends.collectives.jax import AXIS, all_reduce
from ae_multi.errors import InputError
from ae_multi.workers.group import Group
from ae_multi.workers.splitting import split_over


def is_splittable(model: keras.Model) -> bool:
    """Return whether ``model`` trains by Keras's own `train_step`."""
    return getattr(model.train_step, "__func__", None) is keras.Model.train_step


def split_step(model: keras.Model, group: Group) -> Callable[..., Any]:
    """Return the `train_step` of ``model`` on this worker's part of a batch.

    Its results are those of the complete batch. Keras's step runs with an optimizer that only
    records the gradients. After the sum over the workers the optimizer is applied, and the logs
    are computed from the metrics.
    """

    def step(state, batch):
        # The number of the worker is a value of the program, which is the same on all workers.
        worker = dataclasses.replace(group, rank=jax.lax.axis_index(AXIS))
        with split_over(worker), _recorded_gradients(model.optimizer) as recorded:
            logs, (_, others, _, after) = model.train_step(state, batch)
        ((optimizer_state, gradients, weights),) = recorded
        before = state[3]
        growth = [new - old for new, old in zip(after, before, strict=True)]
        totals = all_reduce([*gradients, *growth])
        means = [total / group.size for total in totals[: len(gradients)]]
        weights, optimizer_state = model.optimizer.stateless_apply(optimizer_state, means, weights)
        growth = totals[len(gradients) :]
        metrics = [old + total for old, total in zip(before, growth, strict=True)]
        return _logs(model, metrics, logs), (weights, others, optimizer_state, metrics)

    return step


class SplitProgram:
    """A function of (state, arrays, indices, ...) that is split over the columns of ``indices``.

    Args:
        function: the function of one worker; it returns nested arrays that are the same on all.
        group: the group of workers.
        options: dict of compiler options.
    """

    def __init__(self, function: Callable[..., Any], group: Group, options: dict[str, Any]) -> None:
        devices = {device.process_index: device for device in reversed(jax.devices())}
        self._mesh = Mesh(np.array([devices[rank] for rank in range(group.size)]), (AXIS,))
        self._size, self._device = group.size, devices[group.rank]
        self._function, self._options = function, options
        self._jitted: Any = None

    def __call__(self, key: Any, state: Any, arrays: Any, indices: np.ndarray, *rest: Any) -> Any:
        """Return the function's value; arguments may be local or from an earlier call.

        Args:
            key: unused; `ae_multi.backends.jax.program_cache.Program` has the same arguments.
            state: nested arrays, the same on all workers.
            arrays: list of arrays, the same on all workers.
            indices: this worker's columns, of shape (..., columns).
            rest: further arguments, the same on all workers.
        """
        del key
        columns = PartitionSpec(*[None] * (indices.ndim - 1), AXIS)
        if self._jitted is None:
            whole = PartitionSpec()
            specs = (whole, whole, columns, *[whole for _ in rest])
            # Without the check of replication, which does not know `split_over`.
            split = jax.shard_map(
                self._function, mesh=self._mesh, in_specs=specs, out_specs=whole, check_vma=False
            )
            # JAX's cache on disk is left out: only worker 0 would write to it.
            self._jitted = jax.jit(split, compiler_options=self._options)
        state, arrays, rest = jax.tree.map(self._whole, (state, arrays, rest))
        shape = (*indices.shape[:-1], indices.shape[-1] * self._size)
        return self._jitted(state, arrays, self._put(indices, shape, columns), *rest)

    def _whole(self, array: Any) -> jax.Array:
        if isinstance(array, jax.Array) and not array.is_fully_addressable:
            return array
        return self._put(array, np.shape(array), PartitionSpec())

    def _put(self, array: Any, shape: Any, spec: PartitionSpec) -> jax.Array:
        """Return this worker's part of a global array of ``shape``."""
        sharding = NamedSharding(self._mesh, spec)
        local = jax.device_put(array, self._device)
        return jax.make_array_from_single_device_arrays(shape, sharding, [local])


def local(arrays: Any) -> Any:
    """Return this worker's copies of nested replicated arrays."""
    return jax.tree.map(lambda array: array.addressable_data(0), arrays)


def _logs(model: keras.Model, metrics: list[Any], logs: dict[str, Any]) -> dict[str, Any]:
    """Return the logs of a step from the values of its metrics."""
    mapping = list(zip(model.metrics_variables, metrics, strict=True))
    with keras.StatelessScope(state_mapping=mapping):
        results = model.get_metrics_result()
    if others := sorted(set(logs) - set(results)):
        raise InputError(
            "Expected logs of metrics for a training with several workers. Received: "
            f"{', '.join(others)}, which compute_metrics adds. Return them as metrics."
        )
    return results


@contextlib.contextmanager
def _recorded_gradients(optimizer: keras.Optimizer) -> Iterator[list[tuple[Any, Any, Any]]]:
    """Record the arguments of `stateless_apply` within the block instead of applying them."""
    recorded = []

    def record(optimizer_state, gradients, weights):
        recorded.append((optimizer_state, gradients, weights))
        return weights, optimizer_state

    # Keras would track an attribute that is set in the ordinary way.
    vars(optimizer)["stateless_apply"] = record
    try:
        yield recorded
    finally:
        del vars(optimizer)["stateless_apply"]
