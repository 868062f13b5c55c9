"""Progress of a training: Keras's progress bar, or calls of a function."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import show_progress

Report = Callable[[int, int, int, int, float], None]

_reports: list[Report] = []


@contextlib.contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Call ``report`` after each run of steps of the trainings in the block.

    Args:
        report: function of (epoch, epochs, steps done, total steps, loss). Epochs count from 1,
            and steps count over all epochs.
    """
    _reports.append(report)
    try:
        yield
    finally:
        _reports.remove(report)


def progress_for(batch_size: int, verbose: int | str) -> "Progress | Reporter | None":
    """Return the callback that shows a training's progress, or None.

    Args:
        batch_size: samples per step.
        verbose: as in `fit`. With 0 there is no output, and within `reporting` its function is
            called.
    """
    if verbose != 0:
        return Progress(batch_size)
    return Reporter(_reports[-1]) if _reports else None


class Reporter(keras.callbacks.Callback):
    """Callback that passes a training's progress to a function; see `reporting`.

    Args:
        report: the function.
    """

    def __init__(self, report: Report):
        super().__init__()
        self._report, self._epoch = report, 0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Store the number of the epoch."""
        self._epoch = epoch

    def advance(self, step: int, logs: dict[str, Any]) -> None:
        """Report that ``step`` steps of the epoch are done, with the loss in ``logs``."""
        epochs, steps = self.params["epochs"], self.params["steps"]
        loss = float(np.ravel(logs.get("loss", math.nan))[-1])
        self._report(self._epoch + 1, epochs, self._epoch * steps + step, epochs * steps, loss)


class Progress(keras.callbacks.ProgbarLogger):
    """Progress bar of Keras that is updated once per run of many steps.

    Args:
        batch_size: samples per step.
    """

    def __init__(self, batch_size: int):
        super().__init__()
        self._batch_size = batch_size

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Do nothing; `advance` updates the bar."""

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Do nothing; `advance` updates the bar."""

    def advance(self, step: int, logs: dict[str, Any]) -> None:
        """Show that ``step`` steps of the epoch are done, with the ``logs``."""
        show_progress(self, step, logs, self._rate)

    def _rate(self, seconds):
        return f" - {self._batch_size / seconds:,.0f} samples/s" if seconds else ""
