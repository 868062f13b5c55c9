"""Number of epochs that a model has been trained for, so that each epoch has a different order.

Orders are numbered. A call of `fit` that begins with epoch 0 starts with the number after that of
the last epoch trained. So ten calls of one epoch see the batches of one call of ten epochs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ae_multi._keras import keras

_NAME = "_ae_multi_epochs"


class Epochs(NamedTuple):
    """Epoch count of a model.

    Attributes:
        offset: epoch ``e`` of the last call of `fit` had the order number ``offset + e``.
        trained: total number of epochs trained, which is the number of the next order.
    """

    offset: int = 0
    trained: int = 0


def epochs_of(model: keras.Model) -> Epochs:
    """Return the `Epochs` of a Keras model."""
    return vars(model).get(_NAME, Epochs())


def set_epochs(model: keras.Model, offset: int = 0, trained: int = 0) -> None:
    """Set the `Epochs` of a Keras model, in its ``__dict__``, which Keras does not track."""
    vars(model)[_NAME] = Epochs(int(offset), int(trained))


def offset_for(model: keras.Model, initial_epoch: int) -> int:
    """Return the offset of a call of `fit` that begins with ``initial_epoch``.

    A call with a nonzero ``initial_epoch`` continues the numbering of the previous call, unless
    ``initial_epoch`` equals the total number of epochs trained.
    """
    offset, trained = epochs_of(model)
    return trained - initial_epoch if initial_epoch in (0, trained) else offset
