"""How many epochs a model has been trained for, so that each epoch has an order of its own.

A call of `fit` that begins with epoch 0 continues with the order that follows the last one. So ten
calls of one epoch see the batches of one call of ten.
"""

from typing import NamedTuple

_NAME = "_ae_multi_epochs"


class Epochs(NamedTuple):
    """What a model has been trained for.

    Attributes:
        offset: epoch ``e`` of the last call of `fit` had the order ``offset + e``.
        trained: the order that comes next: how many epochs have been trained in all.
    """

    offset: int = 0
    trained: int = 0


def epochs_of(model):
    """The `Epochs` of a Keras model."""
    return vars(model).get(_NAME, Epochs())


def set_epochs(model, offset=0, trained=0):
    """Note the `Epochs` of a Keras model, in its own dict, which Keras does not track."""
    vars(model)[_NAME] = Epochs(int(offset), int(trained))


def offset_for(model, initial_epoch):
    """The offset of a call of `fit` that begins with ``initial_epoch``.

    A call that begins with another epoch than 0 continues the numbering of the call before it,
    unless its number is that of all epochs so far.
    """
    offset, trained = epochs_of(model)
    return trained - initial_epoch if initial_epoch in (0, trained) else offset
