"""Epoch loop of a training: runs of many steps, with Keras's callbacks between them."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ae_multi._keras import keras
from ae_multi._keras_internals import metrics_result, restored_epoch, shut_down_threads
from ae_multi.backends.chunks import as_numpy
from ae_multi.checkpoints.saver import Saver, Unsaved
from ae_multi.data.batches import BatchOrder
from ae_multi.errors import DivergenceError
from ae_multi.training.callbacks import wants_batches
from ae_multi.training.epochs import set_epochs
from ae_multi.training.progress_bar import Progress, Reporter
from ae_multi.training.signals import defer_signals
from ae_multi.training.step_losses import StepLosses
from ae_multi.training.windows import Batches
from ae_multi.workers.decisions import Decisions
from ae_multi.workers.launched import beat

# Target length of a run in seconds: the progress bar and Ctrl-C respond between runs.
_RUN_SECONDS = 0.5
# Maximum number of steps in a run. A compiled loop allocates memory for the logs of as many steps.
MAX_STEPS_PER_RUN = 1024


class Loop:
    """Epoch loop that runs a training's steps and calls its callbacks.

    Args:
        model: a compiled and built Keras model.
        steps: the backend's `Steps`.
        order: a `BatchOrder`.
        batches: the `Batches` in this order.
        callbacks: a `keras.callbacks.CallbackList`.
        progress: the `Progress` or `Reporter` among the callbacks, or None.
        validate: function of the epoch's number that returns the logs of its validation.
        saver: the `Saver` that writes checkpoints, or None.
        begin: function without arguments that is called once, before the first step, and returns
            the `Steps` to run; or None.
        decisions: the `Decisions` of a group of workers, or None.
    """

    def __init__(
        self,
        model: keras.Model,
        steps: Any,
        order: BatchOrder,
        batches: Batches,
        callbacks: keras.callbacks.CallbackList,
        progress: Progress | Reporter | None,
        validate: Callable[[int], dict[str, Any]],
        saver: Saver | Unsaved | None = None,
        begin: Callable[[], Any] | None = None,
        decisions: Decisions | None = None,
    ):
        self.model, self.steps, self.order, self._begin = model, steps, order, begin
        self.batches, self._decisions = batches, decisions
        self.saver = saver or Unsaved()
        self.callbacks, self.progress, self.validate = callbacks, progress, validate
        self._step_losses = [
            callback for callback in callbacks.callbacks if isinstance(callback, StepLosses)
        ]
        self._has_batch_hooks = any(wants_batches(callback) for callback in callbacks.callbacks)
        # A TerminateOnNaN callback ends a training with a NaN loss as in Keras.
        self._checks_loss = not any(
            isinstance(callback, keras.callbacks.TerminateOnNaN) for callback in callbacks.callbacks
        )
        self._runs_single_steps = self._has_batch_hooks
        self._length = 16  # steps of the next run
        # The state before the last run, its batches, and the window that they are rows of.
        self._previous: tuple[Any, np.ndarray, Any] | None = None

    def train(self, initial_epoch: int, epochs: int) -> None:
        """Train from ``initial_epoch`` to ``epochs``, as `keras.Model.fit` does.

        Raises:
            DivergenceError: a NaN or infinite loss.
        """
        model = self.model
        model.stop_training = False
        logs: dict[str, Any] = {}
        if self._decisions is not None:  # all workers run as many steps at a time
            self._runs_single_steps = self._decisions.any(self._has_batch_hooks)
        if self._runs_single_steps:
            self._length = 1
        self.callbacks.on_train_begin()
        first = self.saver.begin(restored_epoch(model) or initial_epoch)
        if self.saver.position is not None:
            self._count(first)
        for epoch in range(first, first if self.saver.ended else epochs):
            model.reset_metrics()
            self.callbacks.on_epoch_begin(epoch)
            last = self._epoch(epoch, self.saver.enter(epoch))
            self._count(epoch + 1)
            logs = {
                # Keras cannot convert a bfloat16 scalar of TensorFlow.
                name: as_numpy(value) if keras.ops.is_tensor(value) else value
                for name, value in metrics_result(model, last).items()
            }
            logs.update(self.validate(epoch))
            self.callbacks.on_epoch_end(epoch, logs)
            self._share_decisions()
            ends = model.stop_training
            self.saver.finished(epoch, last=ends or epoch + 1 == epochs, ended=ends)
            if ends:
                break
        if isinstance(model.optimizer, keras.optimizers.Optimizer):
            model.optimizer.finalize_variable_values(model.trainable_weights)
        self.callbacks.on_train_end(logs)

    def _count(self, epochs: int) -> None:
        """Store in the model that ``epochs`` epochs of this training are done."""
        set_epochs(self.model, self.order.offset, self.order.offset + epochs)

    def _epoch(self, epoch: int, done: int) -> dict[str, Any]:
        """Run the steps of an epoch after the first ``done``; return the logs of the last."""
        logs: dict[str, Any] = {}
        for begin, batches in self.batches.epoch(epoch, done):
            end = begin + len(batches)
            while done < end and not self.model.stop_training:
                max_steps = self.saver.steps_left(epoch, done) or self._length
                position = done - begin
                rows = batches[position : position + min(self._length, max_steps)]
                done, logs = self._advance(epoch, done, rows)
            if self.model.stop_training:
                break
        return logs

    def _advance(self, epoch: int, done: int, rows: np.ndarray) -> tuple[int, dict[str, Any]]:
        """Run the steps of ``rows`` with callbacks, progress and checkpoint.

        Returns:
            (steps of the epoch that are done, logs of the last step).
        """
        if self._has_batch_hooks:
            self.callbacks.on_train_batch_begin(done)
        begin = time.perf_counter()
        logs = self._run(epoch, done, rows)
        self._adapt_length(len(rows), time.perf_counter() - begin)
        done += len(rows)
        if self._has_batch_hooks:
            self.callbacks.on_train_batch_end(done - 1, logs)
        if self.progress is not None:
            self.progress.advance(done, logs)
        self._share_decisions()
        if not self.model.stop_training:  # otherwise the epoch ends here
            self.saver.stepped(epoch, done)
        return done, logs

    def _share_decisions(self) -> None:
        """Set the decisions of worker 0 in a group of workers."""
        if self._decisions is not None:
            self.model.stop_training, self._length = self._decisions.share(
                self.model.stop_training, self._length
            )

    def _run(self, epoch: int, done: int, rows: np.ndarray) -> dict[str, Any]:
        """Run one step for each of ``rows``; return the logs of the last."""
        if self._begin is not None:
            self.steps, self._begin = self._begin(), None
        state = self.steps.snapshot() if self._checks_loss else None
        with defer_signals():
            logs = self.steps.run(rows)
        losses = np.ravel(logs.get("loss", 0.0))
        if self._checks_loss and not np.isfinite(losses).all():
            bad = int(np.argmin(np.isfinite(losses)))
            fault = self.batches.fault()
            is_finite = self._restore_finite(state, rows, bad)
            raise DivergenceError(
                "Expected a finite loss. "
                f"Received: {losses[bad]} in step {done + bad + 1} of epoch {epoch + 1}. "
                + (
                    "The model has its last finite weights. "
                    if is_finite
                    else "The weights of the model were not finite before, either. "
                )
                + (
                    "A smaller learning rate or gradient clipping (clipnorm) may help."
                    if fault is None
                    else f"The data are not finite: {fault}."
                )
            )
        for callback in self._step_losses:
            callback.add(done, rows.shape[1], losses)
        beat()
        self._previous = state, rows, self.batches.window
        return {name: values[-1] for name, values in logs.items()}

    def _restore_finite(self, state: Any, rows: np.ndarray, bad: int) -> bool:
        """Restore the last state with finite weights.

        That is the state before step ``bad``, whose loss is not finite, or before the previous
        step, if that step made a weight NaN or infinite.

        Args:
            state: the state before the run.
            rows: the batches of the run, int32 (steps, batch).
            bad: index of the step in the run.

        Returns:
            Whether the restored weights are finite.
        """
        window = self.batches.window
        begins = [(state, rows[:bad], window)]
        if bad:
            begins.append((state, rows[: bad - 1], window))
        elif self._previous is not None:
            previous, rows_before, window_before = self._previous
            begins.append((previous, rows_before[:-1], window_before))
        for begin, repeated, window in begins:
            self.steps.restore(begin)
            if len(repeated):
                if window is not self.batches.window:
                    self.batches.load(window)
                self.steps.run(repeated)
            weights = [keras.ops.convert_to_numpy(weight) for weight in self.model.weights]
            if all(np.isfinite(weight).all() for weight in weights):
                return True
        return False

    def _adapt_length(self, steps: int, seconds: float) -> None:
        """Adapt the steps of a run to `_RUN_SECONDS`, given that ``steps`` took ``seconds``.

        The number grows fourfold at most, because first runs may compile.
        """
        if not self._runs_single_steps and steps == self._length:
            fitting = _RUN_SECONDS * steps / max(seconds, 1e-9)
            self._length = int(np.clip(fitting, 1, min(MAX_STEPS_PER_RUN, 4 * self._length)))


@contextlib.contextmanager
def closing(callbacks: keras.callbacks.CallbackList) -> Iterator[None]:
    """Shut down the threads of the callbacks if the block raises an exception."""
    try:
        yield
    except BaseException:
        shut_down_threads(callbacks)
        raise
