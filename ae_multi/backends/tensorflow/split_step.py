"""A training step of Keras on one worker's part of a batch, with results of the complete batch.

Keras's `train_step` is called unchanged, except that its update of the weights is postponed: only
then do the gradients and the growth of the metrics fit into one message. The message divides the
step into two halves, each of which XLA can compile. XLA cannot compile the message itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from ae_multi._keras import keras
from ae_multi.backends.collectives.tensorflow import concatenate
from ae_multi.backends.device_data import flat
from ae_multi.backends.tensorflow.compile import compiled
from ae_multi.errors import InputError
from ae_multi.workers.splitting import split_over

if TYPE_CHECKING:
    from ae_multi.workers.group import Group


def can_be_split(model: keras.Model) -> bool:
    """Return whether ``model`` trains by Keras's own `train_step`."""
    return getattr(model.train_step, "__func__", None) is keras.Model.train_step


class SplitStep:
    """A split training step, called while it is traced.

    Args:
        model: a compiled and built Keras model.
        group: the workers.
        to_batch: function of (arrays, row of indices) that returns this worker's part of a batch.
        by_xla: whether XLA compiles the step before and after the message.
    """

    def __init__(
        self, model: keras.Model, group: Group, to_batch: Callable[..., Any], by_xla: bool
    ) -> None:
        self._model, self._group = model, group
        self._to_batch, self._by_xla = to_batch, by_xla
        # The arguments of the postponed update.
        self._gradients: Sequence[Any] = ()
        self._weights: Sequence[keras.Variable] = ()

    def __call__(self, arrays: Sequence[tf.Tensor], row: tf.Tensor) -> dict[str, Any]:
        """Run the step on this worker's rows of the complete batch; return the logs."""
        first, second = self._first, self._second
        if self._by_xla:
            program = compiled(first, jit_compile=True).get_concrete_function(arrays, row)
            operations = program.graph.get_operations()
            # Batch statistics are reduced in the forward pass.
            if not any(operation.type.startswith("Collective") for operation in operations):
                first = program
            second = compiled(second, jit_compile=True)
        values, before = first(arrays, row)
        return second(self._reduced(values), before)

    def _first(self, arrays, row):
        """Return (values to be summed over the workers, metric variables before the step)."""
        model, metrics = self._model, self._model.metrics_variables
        before = [tf.identity(metric.value) for metric in metrics]
        with split_over(self._group), self._postponed_update():
            logs = flat(model.train_step(self._to_batch(arrays, row)))
        _check_logs(model, logs)
        used = [each for each in self._gradients if each is not None]
        growth = [metric.value - value for metric, value in zip(metrics, before, strict=True)]
        return [_divided(each, self._group.size) for each in used] + growth, before

    def _reduced(self, values):
        """Return the sums of ``values`` over the workers, from one message where possible.

        Keras's optimizers treat a gradient with several slices of one index in a way of their own.
        Therefore such gradients, those of an `Embedding`, are not added but joined.
        """
        dense = [value for value in values if not isinstance(value, tf.IndexedSlices)]
        sums = iter(self._group.collectives.all_reduce(dense))
        return [
            tf.IndexedSlices(
                concatenate(value.values), concatenate(value.indices), value.dense_shape
            )
            if isinstance(value, tf.IndexedSlices)
            else next(sums)
            for value in values
        ]

    def _second(self, sums, before):
        """Update the weights and metrics by sums over the workers; return the logs."""
        remaining = iter(sums)
        means = [None if each is None else next(remaining) for each in self._gradients]
        if means:
            self._model.optimizer.apply(means, self._weights)
        metrics = self._model.metrics_variables
        for metric, value, growth in zip(metrics, before, remaining, strict=True):
            metric.assign(value + growth)
        return flat(self._model.get_metrics_result())

    @contextlib.contextmanager
    def _postponed_update(self) -> Iterator[None]:
        """Keep the arguments of the optimizer's update, and do not update, within the block."""

        def keep(gradients, variables):
            self._gradients, self._weights = list(gradients), list(variables)

        attributes = vars(self._model.optimizer)
        attributes["apply"] = keep
        try:
            yield
        finally:
            del attributes["apply"]


def _divided(gradient, size):
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values / size, gradient.indices, gradient.dense_shape)
    return gradient / size


def _check_logs(model, logs):
    """Refuse logs that are not the model's metrics: they would be those of a part of the batch."""
    results = flat(model.get_metrics_result())
    if logs.keys() != results.keys():
        raise InputError(
            "Expected compute_metrics to return get_metrics_result() in a group of workers. "
            f"Received: {', '.join(sorted(logs.keys() ^ results.keys()))} in one of them alone."
        )
