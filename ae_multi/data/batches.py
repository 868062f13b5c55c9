"""Batches in an order that is a pure function of (seed, epoch)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import DatasetAdapter
from ae_multi.errors import InputError
from ae_multi.randomness.streams import permutation


def steps_in_epoch(samples: int, batch_size: int, steps: int | None = None) -> int:
    """Return the number of batches per epoch: ``steps``, or all, including a smaller last one.

    Raises:
        InputError: ``steps`` exceeds the number of batches.
    """
    max_steps = -(-samples // batch_size)
    if steps is not None and steps > max_steps:
        raise InputError(
            f"Expected steps_per_epoch of at most {max_steps}, the number of batches of "
            f"{batch_size} in {samples} samples. Received: {steps}."
        )
    return steps or max_steps


def epoch_order(
    seed: int | None, epoch: int, samples: int, batch_size: int, within_batches: bool = False
) -> np.ndarray:
    """Return the order of the samples in an epoch, a pure function of the arguments.

    Args:
        seed: integer, or None to keep the order of the samples.
        epoch: number of the epoch.
        samples: number of samples.
        batch_size: samples per batch.
        within_batches: whether to shuffle only within each batch, as Keras does with
            ``shuffle="batch"``: each batch has the same samples as without shuffling.

    Returns:
        Array of indices of shape (samples,): int32, or int64 for more than 2³¹ samples.
    """
    dtype = np.int32 if samples <= np.iinfo(np.int32).max else np.int64
    if seed is None:
        return np.arange(samples, dtype=dtype)
    order = permutation(seed, epoch, samples).astype(dtype)
    if within_batches:
        order = np.lexsort((order, np.arange(samples) // batch_size)).astype(dtype)
    return order


class BatchOrder:
    """Order of the batches in each epoch, as indices: a pure function of (seed, epoch).

    Epochs of fewer batches than there are continue with the samples that follow, as in Keras. In
    the order of the samples the last epoch of a pass through them may have fewer batches, also as
    in Keras. Of a shuffled pass the batches that fill no epoch are left out.

    Args:
        samples: number of samples.
        batch_size: samples per batch; the last batch of a pass through the samples may be smaller.
        seed: integer, or None to keep the order of the samples.
        steps: batches per epoch, or None for all.
        within_batches: as in `epoch_order`.
        offset: number of epochs trained before, which is added to the number of each epoch.
        initial_epoch: number of the first epoch, which begins with the first sample if ``seed`` is
            None.

    Raises:
        InputError: ``steps`` exceeds the number of batches.

    Attributes:
        facts: JSON values that identify another kind of order, for checkpoints.
    """

    facts: dict[str, Any] | None = None

    def __init__(
        self,
        samples: int,
        batch_size: int,
        seed: int | None,
        steps: int | None = None,
        within_batches: bool = False,
        offset: int = 0,
        initial_epoch: int = 0,
    ):
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.within_batches, self.offset = within_batches, offset
        self.initial_epoch = initial_epoch
        self.steps = steps_in_epoch(samples, batch_size, steps)
        self._epochs_per_pass = steps_in_epoch(samples, batch_size) // self.steps
        if seed is None and self.is_uneven:
            self._epochs_per_pass += 1
        self._last_pass: tuple[int, np.ndarray] | None = None

    @property
    def is_uneven(self) -> bool:
        """Whether the batches of a pass through the samples cannot be divided into epochs."""
        return steps_in_epoch(self.samples, self.batch_size) % self.steps > 0

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the full batches and of a smaller last batch, of ``epoch``.

        Returns:
            Integers (steps, batch_size), and (1, size) with ``size`` 0 if all batches are full.
        """
        order = self.rows(epoch, 0, self.size(epoch))
        full = len(order) // self.batch_size * self.batch_size
        return order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)

    def size(self, epoch: int) -> int:
        """Return the number of samples in the batches of ``epoch``."""
        size = self.steps * self.batch_size
        return min(size, self.samples - self._place(epoch)[1] * size)

    def rows(self, epoch: int, begin: int, end: int) -> np.ndarray:
        """Return the indices of the samples from ``begin`` to ``end`` in the order of ``epoch``."""
        number, part = self._place(epoch)
        first = part * self.steps * self.batch_size
        return self._rows_of_pass(number, first + begin, first + end)

    def _place(self, epoch: int) -> tuple[int, int]:
        """Return (the number of the pass through the samples, the part of it) of ``epoch``."""
        # Without shuffling every training begins with the first sample, as in Keras.
        done = epoch - self.initial_epoch if self.seed is None else self.offset + epoch
        return divmod(done, self._epochs_per_pass)

    def _rows_of_pass(self, number: int, begin: int, end: int) -> np.ndarray:
        if self._last_pass is None or self._last_pass[0] != number:
            order = epoch_order(
                self.seed, number, self.samples, self.batch_size, self.within_batches
            )
            self._last_pass = number, order
        return self._last_pass[1][begin:end]


class Batches(keras.utils.PyDataset):
    """Data set for `keras.Model.fit` that returns batches of arrays in a `BatchOrder`.

    Keras shuffles arrays by a different generator on each backend. It also prefetches batches, so
    a data set that counts its epochs gets out of step. `EpochSetter` sets the epoch of this one.

    Args:
        arrays: nested arrays of n samples each, or None in their place; (x, y) or
            (x, y, sample_weight) for Keras.
        order: the order of the batches. Each epoch must have the same number of them.
    """

    def __init__(self, arrays: Any, order: BatchOrder):
        super().__init__()
        self.arrays, self.order = arrays, order
        self.epoch = order.initial_epoch

    @property
    def epoch(self) -> int:
        """The epoch whose order the batches have."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._indices = np.concatenate([batches.ravel() for batches in self.order.epoch(epoch)])

    def __len__(self) -> int:
        return self.order.steps

    def __getitem__(self, step: int) -> Any:
        size = self.order.batch_size
        chosen = self._indices[step * size : (step + 1) * size]
        # An autoencoder's target is its input: each array is gathered once.
        gathered: dict[int, np.ndarray] = {}

        def gather(array):
            if array is None:
                return None
            if id(array) not in gathered:
                gathered[id(array)] = array[chosen]
            return gathered[id(array)]

        return keras.tree.map_structure(gather, self.arrays)


class KerasBatches(DatasetAdapter):
    """Adapter of `Batches` for `keras.Model.fit`, in the structure in which Keras packs arrays.

    Keras passes batches of a `keras.utils.PyDataset` to a step as (x,) or as a list, and batches of
    arrays as x or as a tuple. This adapter passes them as batches of arrays.

    Args:
        data: (x, y, sample_weight), nested arrays of n samples each or None.
        order: as in `Batches`.

    Attributes:
        batches: the `Batches`.
    """

    def __init__(self, data: tuple, order: BatchOrder):
        packed = keras.utils.pack_x_y_sample_weight(*data)
        if keras.config.backend() == "tensorflow":  # its data sets do not support lists
            packed = keras.tree.lists_to_tuples(packed)
        self.batches = Batches(packed, order)
        super().__init__(self.batches)


class EpochSetter(keras.callbacks.Callback):
    """Callback that sets the epoch of `Batches` before the first batch is fetched.

    Args:
        batches: the `Batches`, or None if Keras has the order.
        trained: function that is called after each epoch with the number of epochs of this
            training that are done, or None.
    """

    def __init__(self, batches: Batches | None, trained: Callable[[int], None] | None = None):
        super().__init__()
        self.batches, self.trained = batches, trained

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the order of ``epoch``."""
        if self.batches is not None and self.batches.epoch != epoch:
            self.batches.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Call ``trained`` after ``epoch``."""
        if self.trained is not None:
            self.trained(epoch + 1)
