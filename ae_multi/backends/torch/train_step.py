"""A training step of Keras on PyTorch, on a complete batch or on a worker's part of it."""

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import torch

from ae_multi._keras import keras
from ae_multi._keras_internals import call_arguments, compute_loss, copy_mask, loss_tracker
from ae_multi.backends.torch.optimizer_hooks import RefuseReading
from ae_multi.errors import InputError
from ae_multi.workers.splitting import current_split


def train_step(
    model: keras.Model,
    batch: Any,
    current: Callable[[keras.Variable], torch.Tensor],
    is_recorded: bool,
) -> dict[str, Any]:
    """Run `keras.Model.train_step` of the PyTorch backend, with `torch.autograd.grad`.

    In a split step (`ae_multi.workers.splitting`) the gradients are those of the complete batch,
    and metrics have grown by all of its samples.

    Args:
        model: a compiled and built Keras model.
        batch: the batch as Keras packs it, or this worker's part of it.
        current: function that returns the tensor of a variable.
        is_recorded: whether the step is recorded; then an optimizer that reads values fails.

    Returns:
        The logs.
    """
    x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
    weights = [current(variable) for variable in model.trainable_variables]
    before = []
    if current_split() is not None:
        before = [current(variable).clone() for variable in model.metrics_variables]
    fixed = [weight for weight in weights if not weight.requires_grad]
    for weight in fixed:
        weight.requires_grad_(True)
    with torch.enable_grad():
        y_pred = model(x, **call_arguments(model, training=True))
        loss = compute_loss(model, x, y, y_pred, sample_weight, training=True)
        scaled = model.optimizer.scale_loss(loss)
    samples = next(part for part in keras.tree.flatten(x) if part is not None).shape[0]
    loss_tracker(model).update_state(loss.detach(), sample_weight=samples)
    gradients: list[Any] = []
    if weights:
        gradients = list(torch.autograd.grad(scaled, weights, allow_unused=True))
        for weight in fixed:
            weight.requires_grad_(False)
    else:
        warnings.warn("The model does not have any trainable weights.", stacklevel=2)
    with torch.no_grad():
        y_pred = keras.tree.map_structure(_detached, y_pred)
        if current_split() is not None:
            logs = model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)
            gradients = _reduce(model, gradients, before, current)
            _apply(model, gradients, is_recorded)
            return _reduced_logs(model, logs)
        _apply(model, gradients, is_recorded)
        return model.compute_metrics(x, y, y_pred, sample_weight=sample_weight)


def _apply(model, gradients, is_recorded):
    if gradients:
        with RefuseReading() if is_recorded else contextlib.nullcontext():
            model.optimizer.apply(gradients, model.trainable_variables)


def _reduce(model, gradients, before, current):
    """Add the growth of metrics of all workers; return the mean of their gradients."""
    group = current_split()
    assert group is not None
    metrics = model.metrics_variables
    growth = [current(metric) - value for metric, value in zip(metrics, before, strict=True)]
    used = [gradient for gradient in gradients if gradient is not None]
    sums = iter(group.collectives.all_reduce([*used, *growth]))
    means = [None if gradient is None else next(sums) / group.size for gradient in gradients]
    for metric, value, total in zip(metrics, before, sums, strict=True):
        metric.assign(value + total)
    return means


def _reduced_logs(model, logs):
    """Return the metrics of the complete batch instead of ``logs``, those of a part."""
    results = model.get_metrics_result()
    if logs.keys() != results.keys():
        raise InputError(
            "Expected compute_metrics to return get_metrics_result() in a group of workers. "
            f"Received: {', '.join(sorted(logs.keys() ^ results.keys()))} in one of them alone."
        )
    return results


def _detached(output):
    """Return an output without its gradient, with its mask, which metrics read."""
    detached = output.detach()
    copy_mask(output, detached)
    return detached
