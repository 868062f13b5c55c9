"""Training of an estimator's network on arrays in memory or on chunks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.checkpoints.checkpointing import Checkpoints
from ae_multi.data.digest import sha256
from ae_multi.errors import InputError
from ae_multi.estimators.inputs import held_out
from ae_multi.training.epochs import set_epochs

if TYPE_CHECKING:
    from ae_multi.estimators.base import NetworkEstimator

# "auto" is the number of epochs that makes at least _MIN_STEPS steps, up to _MAX_EPOCHS.
_MIN_STEPS, _MAX_EPOCHS = 2500, 1000


def epochs_for(epochs: int | Literal["auto"], samples: int, batch_size: int, fewest: int) -> int:
    """Return the number of epochs; for "auto" the one for about 2,500 steps.

    Args:
        epochs: number of epochs, or "auto".
        samples: number of training samples.
        batch_size: samples per step.
        fewest: lower bound of "auto"; the upper bound is 1,000.
    """
    if epochs != "auto":
        return epochs
    steps = -(-samples // batch_size)
    return min(max(math.ceil(_MIN_STEPS / steps), fewest), _MAX_EPOCHS)


def learning_rates(estimator: NetworkEstimator, epochs: int | None) -> Callable[[int], float]:
    """Return a function from the index of an epoch to its learning rate.

    With ``schedule`` "cosine" the rate decreases along half a cosine: Loshchilov & Hutter, "SGDR:
    stochastic gradient descent with warm restarts", ICLR 2017, equation 5, without restarts and
    updated once per epoch.

    Args:
        estimator: estimator with ``learning_rate`` and ``schedule``.
        epochs: maximum number of epochs; None, if it is unknown, for a constant rate.
    """
    first = float(estimator.learning_rate)
    if estimator.schedule is None or epochs is None:
        return lambda epoch: first
    return lambda epoch: first * (1 + math.cos(math.pi * epoch / epochs)) / 2


def train_whole(
    estimator: NetworkEstimator,
    inputs: np.ndarray,
    targets: np.ndarray,
    epochs: int,
    rate: Callable[[int], float],
) -> tuple[list[float], list[float] | None]:
    """Train on arrays that fit in memory, in one call of `training.fit`.

    Args:
        estimator: estimator with a compiled ``network_`` and a ``seed_``.
        inputs: float32 array of n samples.
        targets: the same array, or another array of n samples.
        epochs: number of epochs.
        rate: function from the index of an epoch to its learning rate.

    Returns:
        (training losses, losses on held-out samples or None), one float per epoch.
    """
    validation_data: Any = None
    callbacks = [keras.callbacks.LearningRateScheduler(rate)]
    if estimator.early_stopping:
        (inputs, targets), validation_data = _split(estimator, inputs, targets)
        callbacks.append(_early_stopping(estimator))
    history = training.fit(
        estimator.network_,
        inputs,
        targets,
        batch_size=estimator.batch_size,
        epochs=epochs,
        verbose=int(estimator.verbose),
        callbacks=callbacks,
        validation_data=validation_data,
        seed=estimator.seed_,
        checkpoint=_checkpoints(estimator, epochs),
    ).history
    return _floats(history["loss"]), _floats(history["val_loss"]) if validation_data else None


def train_chunks(
    estimator: NetworkEstimator,
    chunks: Iterable[tuple[np.ndarray, np.ndarray]],
    epochs: int,
    rate: Callable[[int], float],
    begin: int = 0,
) -> tuple[list[float], list[float] | None]:
    """Train on chunks, one after the other in each epoch.

    Args:
        estimator: as in `train_whole`.
        chunks: iterable of (inputs, targets), float32 arrays, that can be read in each epoch.
        epochs: index of the epoch to stop before.
        rate: as in `train_whole`.
        begin: index of the first epoch.

    Returns:
        As `train_whole`; losses are means over all samples.

    Raises:
        InputError: early stopping, and no chunk with a sample to hold out.
    """
    network = estimator.network_
    stopper = _early_stopping(estimator) if estimator.early_stopping else None
    if stopper is not None:
        _check_held_out(chunks)
        stopper.set_model(network)
        stopper.on_train_begin()
    network.stop_training = False
    losses, validation_losses = [], []
    for epoch in range(begin, epochs):
        network.optimizer.learning_rate = rate(epoch)
        train_results, validation_results = [], []
        for number, (inputs, targets) in enumerate(chunks):
            if stopper is not None and len(inputs) > 1:
                inputs, targets = _split(estimator, inputs, targets, number)[0]
            # The order within a chunk depends on the epoch, not on the chunks before it.
            set_epochs(network, 0, epoch)
            history = training.fit(
                network,
                inputs,
                targets,
                batch_size=estimator.batch_size,
                initial_epoch=epoch,
                epochs=epoch + 1,
                verbose=0,
                seed=estimator.seed_,
            ).history
            train_results.append((history["loss"][-1], len(inputs)))
        # A second pass, so that all chunks are evaluated with the same weights.
        for number, (inputs, targets) in enumerate(chunks if stopper is not None else ()):
            if len(inputs) > 1:
                held_out_data = _split(estimator, inputs, targets, number)[1]
                loss = training.evaluate(network, *held_out_data, verbose=0, return_dict=True)[
                    "loss"
                ]
                validation_results.append((loss, len(held_out_data[0])))
        losses.append(_mean(train_results))
        message = f"epoch {epoch + 1}/{epochs}: loss {losses[-1]:.5g}"
        if validation_results:
            validation_losses.append(_mean(validation_results))
            message += f", validation loss {validation_losses[-1]:.5g}"
            assert stopper is not None
            stopper.on_epoch_end(epoch, {"val_loss": validation_losses[-1]})
        if estimator.verbose:
            print(message)
        if network.stop_training:
            break
    if stopper is not None:
        stopper.on_train_end()
    return losses, validation_losses if stopper is not None else None


def _checkpoints(estimator: NetworkEstimator, epochs: int) -> Checkpoints | None:
    """Return the checkpoint settings of a fit, in a subfolder of its own, or None."""
    if estimator.checkpoint is None:
        return None
    facts = {
        "estimator": type(estimator).__name__,
        # The learning rate of each epoch depends on the number of epochs.
        "epochs": epochs,
        "schedule": estimator.schedule,
        "initial weights": sha256(estimator.network_.get_weights()),
    }
    return Checkpoints(
        estimator.checkpoint,
        estimator.checkpoint_every,
        keep=2,
        resume=True,
        apart=True,
        facts=facts,
    )


def _early_stopping(estimator: NetworkEstimator) -> keras.callbacks.EarlyStopping:
    return keras.callbacks.EarlyStopping(
        "val_loss", patience=estimator.patience, restore_best_weights=True
    )


def _check_held_out(chunks: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
    """Raise an `InputError` if every chunk is too small to hold a sample out."""
    count = 0
    for inputs, _ in chunks:
        if len(inputs) > 1:
            return
        count += 1
    raise InputError(
        "Expected at least one chunk of 2 or more samples, to hold some out for early stopping. "
        f"Received: {count} {'chunk' if count == 1 else 'chunks'} of 1 sample."
    )


def _split(
    estimator: NetworkEstimator, inputs: np.ndarray, targets: np.ndarray, number: int = 0
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Return ((inputs, targets) for training, (inputs, targets) held out) of one chunk."""
    train_rows, validation_rows = held_out(
        estimator.seed_, "validation", len(inputs), estimator.validation_fraction, number
    )
    return tuple(
        (inputs[rows], inputs[rows] if targets is inputs else targets[rows])
        for rows in (train_rows, validation_rows)
    )


def _mean(pairs: Sequence[tuple[float, int]]) -> float:
    """Return the mean of (value, count) pairs, weighted by count."""
    values, counts = zip(*pairs, strict=True)
    return float(np.average(values, weights=counts))


def _floats(values: Iterable[Any]) -> list[float]:
    return [float(value) for value in values]
