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
        int32 array of indices, of shape (samples,).
    """
    if seed is None:
        return np.arange(samples, dtype=np.int32)
    order = permutation(seed, epoch, samples).astype(np.int32)
    if within_batches:
        order = np.lexsort((order, np.arange(samples) // batch_size)).astype(np.int32)
    return order


class BatchOrder:
    """Order of the batches in each epoch, as indices: a pure function of (seed, epoch).

    Args:
        samples: number of samples.
        batch_size: samples per batch; the last batch of an epoch may be smaller.
        seed: integer, or None to keep the order of the samples.
        steps: batches per epoch, or None for all.
        within_batches: as in `epoch_order`.
        offset: number of epochs trained before, which is added to the number of each epoch.

    Raises:
        InputError: ``steps`` exceeds the number of batches.
    """

    def __init__(
        self,
        samples: int,
        batch_size: int,
        seed: int | None,
        steps: int | None = None,
        within_batches: bool = False,
        offset: int = 0,
    ):
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.within_batches, self.offset = within_batches, offset
        self.steps = steps_in_epoch(samples, batch_size, steps)

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the indices of the full batches and of a smaller last batch, of ``epoch``.

        Returns:
            int32 (steps, batch_size), and int32 (1, size) with ``size`` 0 if all batches are full.
        """
        order = epoch_order(
            self.seed, self.offset + epoch, self.samples, self.batch_size, self.within_batches
        )
        order = order[: self.steps * self.batch_size]
        full = len(order) // self.batch_size * self.batch_size
        return order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)


class Batches(keras.utils.PyDataset):
    """Data set for `keras.Model.fit` that returns batches of arrays in the order of `epoch_order`.

    Keras shuffles arrays by a different generator on each backend. It also prefetches batches, so
    a data set that counts its epochs gets out of step. `EpochSetter` sets the epoch of this one.

    Args:
        arrays: nested arrays of n samples each, or None in their place; (x, y) or
            (x, y, sample_weight) for Keras.
        batch_size: samples per batch; the last batch of an epoch may be smaller.
        seed: integer, or None to keep the order of the samples.
        steps: batches per epoch, or None for all.
        within_batches: as in `epoch_order`.

    Raises:
        InputError: ``steps`` exceeds the number of batches.
    """

    def __init__(
        self,
        arrays: Any,
        batch_size: int,
        seed: int | None,
        steps: int | None = None,
        within_batches: bool = False,
    ):
        super().__init__()
        self.arrays = arrays
        leaves = [leaf for leaf in keras.tree.flatten(arrays) if leaf is not None]
        self.samples = len(leaves[0])
        self.batch_size = batch_size
        self.seed = seed
        self.within_batches = within_batches
        self.steps = steps_in_epoch(self.samples, batch_size, steps)
        self._order: np.ndarray | None = None
        self.epoch = 0

    @property
    def epoch(self) -> int:
        """The epoch whose order the batches have."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = epoch
        if self.seed is not None:
            self._order = epoch_order(
                self.seed, epoch, self.samples, self.batch_size, self.within_batches
            )

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Any:
        window = slice(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = window if self._order is None else self._order[window]
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
        batch_size: as in `Batches`.
        seed: as in `Batches`.
        steps: as in `Batches`.
        within_batches: as in `Batches`.

    Attributes:
        batches: the `Batches`.
    """

    def __init__(
        self,
        data: tuple,
        batch_size: int,
        seed: int | None,
        steps: int | None = None,
        within_batches: bool = False,
    ):
        packed = keras.utils.pack_x_y_sample_weight(*data)
        if keras.config.backend() == "tensorflow":  # its data sets do not support lists
            packed = keras.tree.lists_to_tuples(packed)
        self.batches = Batches(packed, batch_size, seed, steps, within_batches)
        super().__init__(self.batches)


class EpochSetter(keras.callbacks.Callback):
    """Callback that sets the epoch of `Batches` before the first batch is fetched.

    Args:
        batches: the `Batches`.
        offset: number of epochs trained before, which is added to the number of each epoch.
        trained: function that is called after each epoch with ``offset`` and the number of epochs
            trained in all, or None.
    """

    def __init__(
        self,
        batches: Batches,
        offset: int = 0,
        trained: Callable[[int, int], None] | None = None,
    ):
        super().__init__()
        self.batches, self.offset, self.trained = batches, offset, trained

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Set the order of ``epoch``."""
        if self.batches.epoch != self.offset + epoch:
            self.batches.epoch = self.offset + epoch

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Call ``trained`` after ``epoch``."""
        if self.trained is not None:
            self.trained(self.offset, self.offset + epoch + 1)
