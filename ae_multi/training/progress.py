"""What a training shows of itself: Keras's progress bar, or a report to a caller."""

import contextlib
import math

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import show_progress

_reports = []


@contextlib.contextmanager
def reporting(report):
    """Call ``report`` as each training within the block advances.

    Args:
        report: function of (epoch, epochs, steps done, steps in all, loss), where the epoch counts
            from 1 and steps count over all epochs.
    """
    _reports.append(report)
    try:
        yield
    finally:
        _reports.remove(report)


def progress_for(batch_size, verbose):
    """The callback that shows a training's progress, or None.

    Args:
        batch_size: samples in a step.
        verbose: as `fit` takes it.
    """
    if verbose != 0:
        return Progress(batch_size)
    return Reporter(_reports[-1]) if _reports else None


class Reporter(keras.callbacks.Callback):
    """Tells a function how far a training is; see `reporting`."""

    def __init__(self, report):
        super().__init__()
        self._report, self._epoch = report, 0

    def on_epoch_begin(self, epoch, logs=None):
        """Note which epoch this is."""
        self._epoch = epoch

    def advance(self, step, logs):
        """Report that ``step`` steps of the epoch are done and what the ``logs`` are."""
        epochs, steps = self.params["epochs"], self.params["steps"]
        loss = float(np.ravel(logs.get("loss", math.nan))[-1])
        self._report(self._epoch + 1, epochs, self._epoch * steps + step, epochs * steps, loss)


class Progress(keras.callbacks.ProgbarLogger):
    """A `keras.callbacks.ProgbarLogger` that is told of runs of many steps instead of each.

    Args:
        batch_size: samples in a step.
    """

    def __init__(self, batch_size):
        super().__init__()
        self._batch_size = batch_size

    def on_train_batch_end(self, batch, logs=None):
        """Nothing: `advance` is called where there is something to show."""

    def on_test_batch_end(self, batch, logs=None):
        """Nothing, for the same reason."""

    def advance(self, step, logs):
        """Show that ``step`` steps of the epoch are done and what the ``logs`` are."""
        show_progress(self, step, logs, self._rate)

    def _rate(self, seconds):
        return f" - {self._batch_size / seconds:,.0f} samples/s" if seconds else ""
