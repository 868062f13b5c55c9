"""A step that computes one worker's part of a batch, with results of the complete batch.

The rows of a full batch are split evenly; worker r computes part r. Gradients and the growth of
metrics are summed over the workers after the backward pass. What is no sum over samples is reduced
in the forward pass: moments of `BatchNormalization` and means of codes in penalties. Random numbers
are those of the same rows in the complete batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import random_rows, replaced_batch_moments

if TYPE_CHECKING:
    from ae_multi.workers.group import Group

_current: ContextVar[Group | None] = ContextVar("split", default=None)
_is_whole: ContextVar[bool] = ContextVar("whole", default=False)


def current_split() -> Group | None:
    """Return the group over which the step that is being traced is split, or None."""
    return _current.get()


@contextlib.contextmanager
def split_over(group: Group | None) -> Iterator[None]:
    """Trace or run a step as one worker's part of a batch within the block.

    Args:
        group: the group, or None for a step on complete batches.
    """
    token = _current.set(group)
    try:
        with contextlib.ExitStack() as stack:
            if group is not None:
                stack.enter_context(replaced_batch_moments(_moments))
                stack.enter_context(random_rows(group.rank, group.size))
            yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def whole_batches() -> Iterator[None]:
    """Compute all batches completely within the block, for comparison with split ones."""
    token = _is_whole.set(True)
    try:
        yield
    finally:
        _is_whole.reset(token)


def own_rows(
    group: Group | None, indices: np.ndarray, batch_size: int
) -> tuple[np.ndarray, Group | None]:
    """Return this worker's part of batches, and the group they are split over.

    Args:
        group: the group of this process, or None.
        indices: int32 (steps, batch).
        batch_size: size of a full batch, which the number of workers divides.

    Returns:
        (indices, group). Batches that are not full, and those within `whole_batches`, are computed
        by each worker completely: then the indices are unchanged, and the group is None.
    """
    is_full = indices.shape[1] == batch_size
    if group is None or not is_full or batch_size % group.size or _is_whole.get():
        return indices, None
    part = batch_size // group.size
    own = indices[:, group.rank * part : (group.rank + 1) * part]
    return np.ascontiguousarray(own), group


def mean_over_batch(x: Any) -> Any:
    """Return the mean over the first axis of ``x``, over the complete batch in a split step."""
    mean = keras.ops.mean(x, axis=0)
    group = current_split()
    return mean if group is None else _mean_of_workers(group, [mean])[0]


def _mean_of_workers(group, tensors):
    """Return the means over the workers of tensors; differentiable."""
    return [total / group.size for total in group.collectives.all_reduce(tensors)]


def _moments(inputs: Any, axes: list[int]) -> tuple[Any, Any]:
    """Return the mean and variance of ``inputs`` over ``axes`` of the complete batch."""
    group, ops = current_split(), keras.ops
    assert group is not None
    (mean,) = _mean_of_workers(group, [ops.mean(inputs, axes, keepdims=True)])
    deviation = ops.subtract(inputs, mean)
    # Two passes: the mean of squares less the squared mean would cancel.
    (variance,) = _mean_of_workers(group, [ops.mean(ops.square(deviation), axes)])
    return ops.reshape(mean, ops.shape(variance)), variance
