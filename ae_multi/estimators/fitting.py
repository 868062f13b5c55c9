"""Training an estimator's network: on one array, or chunk by chunk."""

import math

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.checkpoints.checkpointing import Checkpoints
from ae_multi.data.digest import sha256
from ae_multi.estimators.inputs import held_out
from ae_multi.training.epochs import set_epochs

# "auto": as many epochs as make this many steps, within bounds.
_MIN_STEPS, _MAX_EPOCHS = 2500, 1000


def epochs_for(epochs, samples, batch_size, fewest):
    """The number of epochs that ``epochs`` asks for, at least ``fewest`` where it is "auto"."""
    if epochs != "auto":
        return epochs
    steps = -(-samples // batch_size)
    return min(max(math.ceil(_MIN_STEPS / steps), fewest), _MAX_EPOCHS)


def learning_rates(estimator, epochs):
    """Function of an epoch's number that gives its learning rate.

    With ``schedule`` "cosine" it falls along half a cosine: Loshchilov & Hutter, "SGDR: stochastic
    gradient descent with warm restarts", ICLR 2017, equation 5, of one run and a step an epoch.

    Args:
        estimator: its ``learning_rate`` and ``schedule`` are used.
        epochs: how many there will be at most, or None where nobody knows: a constant rate.
    """
    first = float(estimator.learning_rate)
    if estimator.schedule is None or epochs is None:
        return lambda epoch: first
    return lambda epoch: first * (1 + math.cos(math.pi * epoch / epochs)) / 2


def train_whole(estimator, inputs, targets, epochs, rate):
    """Train on arrays that fit in memory, in one call.

    Args:
        estimator: a begun estimator: its ``network_``, ``seed_`` and parameters are used.
        inputs: float32 array of n samples.
        targets: the same array, or another of n samples.
        epochs: how many.
        rate: function of an epoch's number that gives its learning rate.

    Returns:
        (losses, losses on what was kept aside or None), a float for each epoch.
    """
    held, callbacks = None, [keras.callbacks.LearningRateScheduler(rate)]
    if estimator.early_stopping:
        (inputs, targets), held = _split(estimator, inputs, targets)
        callbacks.append(_stopper(estimator))
    history = training.fit(
        estimator.network_,
        inputs,
        targets,
        batch_size=estimator.batch_size,
        epochs=epochs,
        verbose=int(estimator.verbose),
        callbacks=callbacks,
        validation_data=held,
        seed=estimator.seed_,
        checkpoint=_checkpoints(estimator, epochs),
    ).history
    return _floats(history["loss"]), _floats(history["val_loss"]) if held else None


def train_chunks(estimator, chunks, epochs, rate, begin=0):
    """Train on data that come in chunks, one after the other in every epoch.

    Args:
        estimator: as in `train_whole`.
        chunks: iterable of (inputs, targets), float32 arrays, that can be read in each epoch.
        epochs: the epoch to train up to.
        rate: as in `train_whole`.
        begin: the epoch to begin with.

    Returns:
        As `train_whole`; losses are means over all samples.
    """
    network = estimator.network_
    stopper = _stopper(estimator) if estimator.early_stopping else None
    if stopper is not None:
        stopper.set_model(network)
        stopper.on_train_begin()
    network.stop_training = False
    losses, aside = [], []
    for epoch in range(begin, epochs):
        network.optimizer.learning_rate = rate(epoch)
        trained, checked = [], []
        for number, (inputs, targets) in enumerate(chunks):
            if stopper is not None and len(inputs) > 1:
                inputs, targets = _split(estimator, inputs, targets, number)[0]
            # Each chunk has the order of this epoch, whatever was trained on before it.
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
            trained.append((history["loss"][-1], len(inputs)))
        # Gone through once more, since all are to be looked at with the same weights.
        for number, (inputs, targets) in enumerate(chunks if stopper is not None else ()):
            if len(inputs) > 1:
                held = _split(estimator, inputs, targets, number)[1]
                loss = training.evaluate(network, *held, verbose=0, return_dict=True)["loss"]
                checked.append((loss, len(held[0])))
        losses.append(_mean(trained))
        words = f"epoch {epoch + 1}/{epochs}: loss {losses[-1]:.5g}"
        if checked:
            aside.append(_mean(checked))
            words += f", kept aside {aside[-1]:.5g}"
            stopper.on_epoch_end(epoch, {"val_loss": aside[-1]})
        if estimator.verbose:
            print(words)
        if network.stop_training:
            break
    if stopper is not None:
        stopper.on_train_end()
    return losses, aside if stopper is not None else None


def _checkpoints(estimator, epochs):
    """Where to go on from and to keep checkpoints, each fit apart from others; or None."""
    if estimator.checkpoint is None:
        return None
    facts = {
        "estimator": type(estimator).__name__,
        # The rate of each epoch depends on how many there will be.
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


def _stopper(estimator):
    """Ends a training that no longer gets better, and puts the best weights back."""
    return keras.callbacks.EarlyStopping(
        "val_loss", patience=estimator.patience, restore_best_weights=True
    )


def _split(estimator, inputs, targets, number=0):
    kept, aside = held_out(
        estimator.seed_, "validation", len(inputs), estimator.validation_fraction, number
    )
    return tuple(
        (inputs[rows], inputs[rows] if targets is inputs else targets[rows])
        for rows in (kept, aside)
    )


def _mean(pairs):
    values, counts = zip(*pairs, strict=True)
    return float(np.average(values, weights=counts))


def _floats(values):
    return [float(value) for value in values]
