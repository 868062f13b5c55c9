"""The epochs of a training: runs of many steps, and Keras's callbacks between them."""

import contextlib
import time

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import metrics_result, restored_epoch, shut_down_threads
from ae_multi.backends.chunks import as_numpy
from ae_multi.checkpoints.saver import Unsaved
from ae_multi.data.arrays import first_not_finite
from ae_multi.data.batches import epoch_order, steps_in_epoch
from ae_multi.errors import DivergenceError
from ae_multi.training.callbacks import wants_batches
from ae_multi.training.epochs import set_epochs
from ae_multi.training.signals import defer_signals

# A run ends after about so many seconds, for the progress bar and for Ctrl-C.
_RUN_SECONDS = 0.5
# The most steps of a run: what a compiled loop keeps room for.
MAX_STEPS_PER_RUN = 1024


class BatchOrder:
    """The batches of each epoch, as indices: a pure function of (seed, epoch).

    Args:
        samples: how many there are.
        batch_size: samples in a batch; the last batch of an epoch may be smaller.
        seed: integer, or None to keep the samples' own order.
        steps: batches of an epoch, or None for all.
        within_batches: as in `epoch_order`.
        offset: the number of the order that epoch 0 has.

    Raises:
        InputError: more steps than there are batches.
    """

    def __init__(self, samples, batch_size, seed, steps=None, within_batches=False, offset=0):
        self.samples, self.batch_size, self.seed = samples, batch_size, seed
        self.within_batches, self.offset = within_batches, offset
        self.steps = steps_in_epoch(samples, batch_size, steps)

    def epoch(self, epoch):
        """int32 (steps, batch) of the full batches, and of the smaller last one or of none."""
        order = epoch_order(
            self.seed, self.offset + epoch, self.samples, self.batch_size, self.within_batches
        )
        order = order[: self.steps * self.batch_size]
        full = len(order) // self.batch_size * self.batch_size
        return order[:full].reshape(-1, self.batch_size), order[full:].reshape(1, -1)


class Loop:
    """Runs a training's steps and calls its callbacks.

    Args:
        model: a compiled and built Keras model.
        steps: the backend's `Steps`.
        order: a `BatchOrder`.
        callbacks: a `keras.callbacks.CallbackList`.
        progress: the `Progress` among them, or None.
        validate: function of the epoch's number that returns the logs of its validation.
        saver: the `Saver` that takes checkpoints, or None.
        begin: function of no arguments that is called once, before the first step, and returns
            the `Steps` to take; or None.
        data: (x, y, sample_weight), in which a loss that is no number is looked for; or None.
    """

    def __init__(
        self,
        model,
        steps,
        order,
        callbacks,
        progress,
        validate,
        saver=None,
        begin=None,
        data=None,
    ):
        self.model, self.steps, self.order, self._begin = model, steps, order, begin
        self._data = data
        self.saver = saver or Unsaved()
        self.callbacks, self.progress, self.validate = callbacks, progress, validate
        self._each = any(wants_batches(callback) for callback in callbacks.callbacks)
        # Who asks for Keras's own end at a loss that is no number gets that.
        self._watched = not any(
            isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in callbacks.callbacks
        )
        self._length = 1 if self._each else 16

    def train(self, initial_epoch, epochs):
        """Train from ``initial_epoch`` to ``epochs``, as `keras.Model.fit` would."""
        model = self.model
        model.stop_training = False
        logs = {}
        self.callbacks.on_train_begin()
        first = self.saver.begin(restored_epoch(model) or initial_epoch)
        if self.saver.position is not None:
            self._note(first)
        for epoch in range(first, first if self.saver.ended else epochs):
            model.reset_metrics()
            self.callbacks.on_epoch_begin(epoch)
            last = self._epoch(epoch, self.saver.enter(epoch))
            self._note(epoch + 1)
            logs = {
                # Keras itself cannot read a single number of TensorFlow's of type bfloat16.
                name: as_numpy(value) if keras.ops.is_tensor(value) else value
                for name, value in metrics_result(model, last).items()
            }
            logs.update(self.validate(epoch))
            self.callbacks.on_epoch_end(epoch, logs)
            ends = model.stop_training
            self.saver.finished(epoch, last=ends or epoch + 1 == epochs, ended=ends)
            if ends:
                break
        if isinstance(model.optimizer, keras.optimizers.Optimizer):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        self.callbacks.on_train_end(logs)

    def _note(self, epochs):
        """Note in the model that so many epochs of this training are done."""
        set_epochs(self.model, self.order.offset, self.order.offset + epochs)

    def _epoch(self, epoch, done):
        """Take the steps of an epoch of which ``done`` are done; return the last one's logs."""
        begin, logs = 0, {}
        for batches in self.order.epoch(epoch):
            end = begin + (len(batches) if batches.size else 0)
            while done < end and not self.model.stop_training:
                most = self.saver.steps_left(epoch, done) or self._length
                position = done - begin
                rows = batches[position : position + min(self._length, most)]
                done, logs = self._advance(epoch, done, rows)
            begin = end
        return logs

    def _advance(self, epoch, done, rows):
        """Run the steps of ``rows``, and tell all who want to know; (steps done, logs)."""
        if self._each:
            self.callbacks.on_train_batch_begin(done)
        begin = time.perf_counter()
        logs = self._run(epoch, done, rows)
        self._pace(len(rows), time.perf_counter() - begin)
        done += len(rows)
        if self._each:
            self.callbacks.on_train_batch_end(done - 1, logs)
        if self.progress is not None:
            self.progress.advance(done, logs)
        if not self.model.stop_training:  # or else the epoch ends here
            self.saver.stepped(epoch, done)
        return done, logs

    def _run(self, epoch, done, rows):
        """Take one step for each of ``rows``; return the logs after the last."""
        if self._begin is not None:
            self.steps, self._begin = self._begin(), None
        state = self.steps.snapshot() if self._watched else None
        with defer_signals():
            logs = self.steps.run(rows)
        losses = np.ravel(logs.get("loss", 0.0))
        if self._watched and not np.isfinite(losses).all():
            bad = int(np.argmin(np.isfinite(losses)))
            self._go_back(state, rows, bad)
            found = None if self._data is None else first_not_finite(self._data)
            raise DivergenceError(
                "Expected a loss that is a number. "
                f"Received: {losses[bad]} in step {done + bad + 1} of epoch {epoch + 1}. The model "
                "is left with the last weights that were good. "
                + (
                    "A smaller learning rate or a limit to the gradient (clipnorm) may help."
                    if found is None
                    else f"The data are not finite: {found}."
                )
            )
        return {name: values[-1] for name, values in logs.items()}

    def _go_back(self, state, rows, bad):
        """Leave the state before the ``bad`` step, or before one earlier if that one spoilt it."""
        for count in (bad, bad - 1):
            if count < 0:
                continue
            self.steps.restore(state)
            if count:
                self.steps.run(rows[:count])
            weights = [keras.ops.convert_to_numpy(weight) for weight in self.model.weights]
            if all(np.isfinite(weight).all() for weight in weights):
                return

    def _pace(self, steps, seconds):
        """Let runs take about `_RUN_SECONDS`, doubling at most, as first runs may compile."""
        if not self._each and steps == self._length:
            fitting = _RUN_SECONDS * steps / max(seconds, 1e-9)
            self._length = int(np.clip(fitting, 1, min(MAX_STEPS_PER_RUN, 4 * self._length)))


@contextlib.contextmanager
def closing(callbacks):
    """Let the callbacks' own threads end where a training ends early."""
    try:
        yield
    except BaseException:
        shut_down_threads(callbacks)
        raise
