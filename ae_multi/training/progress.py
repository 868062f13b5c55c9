"""Keras's progress bar, with samples per second."""

from ae_multi._keras import keras


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
        # Keras averages what it is shown; logs of a run are means over the epoch already.
        self._maybe_init_progbar()
        self.progbar.stateful_metrics, self.progbar.stateless_metrics = set(logs), None
        self._update_progbar(step - 1, logs)

    def _maybe_init_progbar(self):
        fresh = self.progbar is None
        super()._maybe_init_progbar()
        if fresh:
            plain = self.progbar._format_time

            def with_rate(seconds, unit):
                rate = f" - {self._batch_size / seconds:,.0f} samples/s" if seconds else ""
                return plain(seconds, unit) + rate

            self.progbar._format_time = with_rate
