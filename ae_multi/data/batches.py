"""Batches in an order that is a pure function of (seed, epoch)."""

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import DatasetAdapter
from ae_multi.errors import InputError
from ae_multi.randomness.streams import permutation


def steps_in_epoch(samples, batch_size, steps=None):
    """How many batches an epoch has: ``steps``, or all, the smaller last one among them.

    Raises:
        InputError: more steps than there are batches.
    """
    most = -(-samples // batch_size)
    if steps is not None and steps > most:
        raise InputError(
            f"Expected steps_per_epoch of at most {most}, the batches of {batch_size} in "
            f"{samples} samples. Received: {steps}."
        )
    return steps or most


def epoch_order(seed, epoch, samples, batch_size, within_batches=False):
    """The order of the samples in an epoch: int32 (samples,), a pure function of its arguments.

    Args:
        seed: integer, or None for the samples' own order.
        epoch: the number of the epoch.
        samples: how many there are.
        batch_size: samples in a batch.
        within_batches: whether each batch has the samples that it has in their own order, and only
            the order within it changes: Keras's ``shuffle="batch"``.
    """
    if seed is None:
        return np.arange(samples, dtype=np.int32)
    order = permutation(seed, epoch, samples).astype(np.int32)
    if within_batches:
        order = np.lexsort((order, np.arange(samples) // batch_size)).astype(np.int32)
    return order


class Batches(keras.utils.PyDataset):
    """Arrays served to ``keras.Model.fit`` in the project's own order.

    Keras shuffles arrays by three generators on three backends, and fetches ahead, so that a
    dataset that counts its own epochs drifts. This one is told the epoch by `EpochSetter`.

    Args:
        arrays: nested arrays of n samples each, None among them; (x, y) or (x, y, sample_weight)
            for Keras.
        batch_size: samples in a batch; the last batch of an epoch may be smaller.
        seed: integer, or None to keep the arrays' own order.
        steps: batches in an epoch, or None for all.
        within_batches: as in `epoch_order`.

    Raises:
        InputError: more steps than there are batches.
    """

    def __init__(self, arrays, batch_size, seed, steps=None, within_batches=False):
        super().__init__()
        self.arrays = arrays
        parts = [part for part in keras.tree.flatten(arrays) if part is not None]
        self.samples = len(parts[0])
        self.batch_size = batch_size
        self.seed = seed
        self.within_batches = within_batches
        self.steps = steps_in_epoch(self.samples, batch_size, steps)
        self._order = None
        self.epoch = 0

    @property
    def epoch(self):
        """The epoch whose order is served."""
        return self._epoch

    @epoch.setter
    def epoch(self, epoch):
        self._epoch = epoch
        if self.seed is not None:
            self._order = epoch_order(
                self.seed, epoch, self.samples, self.batch_size, self.within_batches
            )

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        places = slice(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = places if self._order is None else self._order[places]
        # The target often is the input: then it is gathered once.
        gathered = {}

        def gather(array):
            if array is None:
                return None
            if id(array) not in gathered:
                gathered[id(array)] = array[chosen]
            return gathered[id(array)]

        return keras.tree.map_structure(gather, self.arrays)


class KerasBatches(DatasetAdapter):
    """`Batches` for `keras.Model.fit`, in the structure in which Keras packs arrays.

    A `keras.utils.PyDataset` comes to a step as (x,) or as a list, where arrays come as x or as a
    tuple.

    Args:
        data: (x, y, sample_weight), nested arrays of n samples each or None.
        batch_size: as in `Batches`, like the rest.
    """

    def __init__(self, data, batch_size, seed, steps=None, within_batches=False):
        packed = keras.utils.pack_x_y_sample_weight(*data)
        if keras.config.backend() == "tensorflow":  # whose data sets know no lists
            packed = keras.tree.lists_to_tuples(packed)
        self.batches = Batches(packed, batch_size, seed, steps, within_batches)
        super().__init__(self.batches)
