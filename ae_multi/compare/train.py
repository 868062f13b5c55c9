"""Build, train and time the model of a configuration."""

import math
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ae_multi import backends, models
from ae_multi._keras import keras
from ae_multi.compare.config import ALL_MODELS, TrainingConfig


@dataclass(frozen=True)
class Training:
    """Losses and times of a training.

    Attributes:
        losses: mean training loss of each epoch.
        seconds: wall time of the training, including compilation.
        first_epoch_seconds: wall time of the first epoch, which includes compilation; NaN if a
            checkpoint left no epoch to train.
        samples_per_second: number of training samples over the median time of an epoch, without
            the first epoch if there are several; NaN if a checkpoint left no epoch to train.
        plan: name of the plan that ran, see `ae_multi.fit`.
    """

    losses: list[float]
    seconds: float
    first_epoch_seconds: float
    samples_per_second: float
    plan: str


def build(config: TrainingConfig, input_shape: tuple[int, ...]) -> keras.Model:
    """Return the compiled model of a configuration for samples of shape ``input_shape``."""
    options = {} if config.latent_dim is None else {"latent_dim": config.latent_dim}
    model_class = getattr(models, ALL_MODELS[config.model])
    model = model_class(input_shape=input_shape, seed=config.seed, **options)
    model.compile(optimizer=keras.optimizers.Adam(config.learning_rate))
    return model


def train(
    model: keras.Model,
    x: np.ndarray,
    config: TrainingConfig,
    on_epoch: Callable[[int, int, float], object] | None = None,
    verbose: int | str = 0,
    callbacks: Iterable[keras.callbacks.Callback] = (),
    checkpoints: Mapping[str, Any] | None = None,
    y: np.ndarray | None = None,
    plan: str | None = None,
) -> Training:
    r"""Fit ``model`` to ``x`` with the settings of ``config``.

    Args:
        model: a compiled model from `build`.
        x: training samples, shape (n, \*input_shape).
        config: configuration of the training.
        on_epoch: called after each epoch with (epochs done, total epochs, loss); or None.
        verbose: verbosity of Keras's `fit`.
        callbacks: further Keras callbacks.
        checkpoints: dict of the arguments ``checkpoint``, ``checkpoint_every``, ``keep`` and
            ``resume`` of `fit`, or None.
        y: targets, or None to use the samples.
        plan: name of a plan of the backend, or None to select one.

    Returns:
        Losses and times of the training.
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
    """Callback that times each epoch, including pending work of the device, and reports it."""

    def __init__(self, epochs: int, on_epoch: Callable[[int, int, float], object] | None) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._epochs = epochs
        self._on_epoch = on_epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop the clock and report the loss."""
        backends.current().wait()
        self.seconds.append(time.perf_counter() - self._begin)
        if self._on_epoch is not None:
            self._on_epoch(epoch + 1, self._epochs, logs["loss"])
