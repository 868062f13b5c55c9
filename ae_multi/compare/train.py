"""Build the model of a configuration, train it, and time it."""

import math
import statistics
import time
from dataclasses import dataclass

from ae_multi import backends, models
from ae_multi._keras import keras
from ae_multi.compare.config import ALL_MODELS


@dataclass(frozen=True)
class Training:
    """How a training went.

    Attributes:
        losses: mean training loss of each epoch.
        seconds: wall time of the whole training, compiling included.
        first_epoch_seconds: wall time of the first epoch, in which backends compile.
        samples_per_second: training samples over the median time of the later epochs; of the
            only one, where there is but one. Both times are NaN where a checkpoint left none.
        plan: name of the plan that ran, see `ae_multi.fit`.
    """

    losses: list
    seconds: float
    first_epoch_seconds: float
    samples_per_second: float
    plan: str


def build(config, input_shape):
    """The compiled model of a `TrainingConfig` for samples of ``input_shape``."""
    code = {} if config.latent_dim is None else {"latent_dim": config.latent_dim}
    make = getattr(models, ALL_MODELS[config.model])
    model = make(input_shape=input_shape, seed=config.seed, **code)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    return model


def train(
    model, x, config, on_epoch=None, verbose=0, callbacks=(), checkpoints=None, y=None, plan=None
):
    r"""Fit ``model`` to ``x`` as the configuration says.

    Args:
        model: a compiled model, as `build` makes it.
        x: training samples, shape (n, \*input_shape).
        config: a `TrainingConfig`.
        on_epoch: called after each epoch with (epochs done, epochs in all, loss).
        verbose: Keras's verbosity.
        callbacks: further Keras callbacks.
        checkpoints: dict of ``checkpoint``, ``checkpoint_every``, ``keep`` and ``resume``, as
            `fit` takes them, or None.
        y: targets, or None for the samples.
        plan: name of a plan of the backend, or None to choose.

    Returns:
        A `Training`.
    """
    epochs = config.epochs_for(len(x))
    clock = _Clock(epochs, on_epoch)
    begin = time.perf_counter()
    history = model.fit(
        x,
        y,
        batch_size=config.batch_size,
        epochs=epochs,
        verbose=verbose,
        callbacks=[*callbacks, clock],
        plan=plan,
        **(checkpoints or {}),
    )
    seconds = time.perf_counter() - begin
    times = clock.seconds or [math.nan]
    steady = statistics.median(times[1:] or times)
    return Training(
        losses=[float(loss) for loss in history.history["loss"]],
        seconds=seconds,
        first_epoch_seconds=times[0],
        samples_per_second=len(x) / steady,
        plan=history.plan.name,
    )


class _Clock(keras.callbacks.Callback):
    """Times each epoch, to the end of the device's work, and reports it."""

    def __init__(self, epochs, on_epoch):
        super().__init__()
        self.seconds = []
        self._epochs = epochs
        self._on_epoch = on_epoch

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Stop the clock."""
        backends.current().wait()
        self.seconds.append(time.perf_counter() - self._begin)
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, self._epochs, logs["loss"])
