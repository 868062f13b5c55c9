"""Batches in an order that is a pure function of (seed, epoch)."""

from ae_multi._keras import keras
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


class Batches(keras.utils.PyDataset):
    """Arrays served to ``keras.Model.fit`` in the project's own order.

    Keras shuffles arrays by three generators on three backends, and fetches ahead, so that a
    dataset that counts its own epochs drifts. This one is told the epoch by `EpochTeller`.

    Args:
        arrays: tuple (x, y) or (x, y, sample_weight) of arrays or dicts of arrays, n samples each.
        batch_size: samples in a batch; the last batch of an epoch may be smaller.
        seed: integer, or None to keep the arrays' own order.
        steps: batches in an epoch, or None for all.

    Raises:
        InputError: more steps than there are batches.
    """

    def __init__(self, arrays, batch_size, seed, steps=None):
        super().__init__()
        self.arrays = arrays
        self.samples = len(keras.tree.flatten(arrays)[0])
        self.batch_size = batch_size
        self.seed = seed
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
            self._order = permutation(self.seed, epoch, self.samples)

    def __len__(self):
        return self.steps

    def __getitem__(self, step):
        places = slice(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = places if self._order is None else self._order[places]
        # The target often is the input: then it is gathered once.
        gathered = {}

        def gather(array):
            if id(array) not in gathered:
                gathered[id(array)] = array[chosen]
            return gathered[id(array)]

        return keras.tree.map_structure(gather, self.arrays)


class EpochTeller(keras.callbacks.Callback):
    """Tells `Batches` which epoch begins, before its first batch is fetched."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        """Set the order of ``epoch``."""
        if self.batches.epoch != epoch:
            self.batches.epoch = epoch
