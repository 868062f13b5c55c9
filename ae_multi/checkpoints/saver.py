"""Checkpoints of a training as it runs: taken between steps, written beside them."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

from ae_multi._keras import keras
from ae_multi.checkpoints import Position
from ae_multi.checkpoints.state import get_state, set_state
from ae_multi.environment import checkpoint_versions
from ae_multi.io.serialization import PartsWriter

_log = logging.getLogger("ae_multi")


class Saver:
    """Takes checkpoints of a training, and puts one back.

    The state is copied between two steps, and a thread writes the copy, one at a time.

    Args:
        folder: a `Folder`, closed by `close`.
        every: an `Interval`.
        found: the `Checkpoint` to go on from, or None.
        model: a compiled and built Keras model.
        callbacks: list of Keras callbacks.
        steps: steps of an epoch.
        facts: what the training depends on, for whoever goes on with it.

    Attributes:
        position: the `Position` to go on from, or None.
        ended: whether a callback had ended the training there.
        plan: name of the plan that runs the steps; to be set before the first.
        offset: the number of the order that epoch 0 has; to be set where ``position`` is None.
    """

    def __init__(self, folder, every, found, model, callbacks, steps, facts):
        self._folder, self._every = folder, every
        self._model, self._callbacks, self._steps = model, callbacks, steps
        self._about = {"facts": facts, "versions": checkpoint_versions()}
        self.plan, self.offset = None, 0
        self._thread, self._pending = ThreadPoolExecutor(1, "checkpoints"), None
        self._since = time.monotonic()
        self._state, self.position, self.ended = None, None, False
        if found is not None:
            self.position, self.ended, self._state = found.position, found.ended, found.state
            self.offset = found.offset
            if found.backend == keras.config.backend():
                self.plan = found.plan

    def begin(self, epoch):
        """The epoch to begin with, once callbacks have begun, instead of ``epoch``."""
        if self.position is None:
            return epoch
        if not self.position.step:
            self._put_back()
        return self.position.epoch

    def enter(self, epoch):
        """The steps of ``epoch`` that are done, once metrics and callbacks have begun it."""
        if self.position is None or self.position.epoch != epoch or not self.position.step:
            return 0
        self._put_back()
        return self.position.step

    def steps_left(self, epoch, step):
        """The most steps that a run may take now, or None for any number."""
        return self._every.steps_left(epoch * self._steps + step)

    def stepped(self, epoch, step):
        """Take a checkpoint, if one is due after ``step`` steps of ``epoch``."""
        if step < self._steps and self._is_due(epoch * self._steps + step):
            self._take(Position(epoch, step), ended=False)

    def finished(self, epoch, last, ended):
        """Take a checkpoint, if one is due after ``epoch``; ``ended``: by a callback's wish."""
        due = self._every.unit == "epoch" and (epoch + 1) % self._every.count == 0
        if last or due or self._is_due((epoch + 1) * self._steps):
            self._take(Position(epoch + 1, 0), ended)

    def close(self):
        """Wait for what is being written; let another training write."""
        try:
            self._settle()
        finally:
            self._thread.shutdown()
            self._folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _is_due(self, steps):
        if self._every.unit == "second":
            return time.monotonic() - self._since >= self._every.count
        return self._every.unit == "step" and steps % self._every.count == 0

    def _put_back(self):
        set_state(self._state, self._model, self._callbacks)
        self._state = None

    def _take(self, position, ended):
        state = get_state(self._model, self._callbacks)
        self._settle()
        self._pending = self._thread.submit(self._write, position, state, ended)
        self._since = time.monotonic()

    def _write(self, position, state, ended):
        writer = PartsWriter()
        manifest = {
            **self._about,
            "plan": self.plan,
            "ended": bool(ended),
            "offset": self.offset,
            "state": writer.plain(state, "a callback's state"),
        }
        self._folder.write(position, manifest, writer.parts)

    def _settle(self):
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except OSError as error:
            # A training is worth more than its checkpoint.
            _log.error(
                "Expected to be able to write a checkpoint to %s. Received: %s. Older ones are "
                "whole; the training goes on, and the next is tried when it is due.",
                self._folder.path,
                error.strerror or error,
            )


class Unsaved:
    """The `Saver` of a training without checkpoints."""

    position = plan = None
    ended = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def begin(self, epoch):
        """See `Saver.begin`."""
        return epoch

    def enter(self, epoch):
        """See `Saver.enter`."""
        return 0

    def steps_left(self, epoch, step):
        """See `Saver.steps_left`."""

    def stepped(self, epoch, step):
        """See `Saver.stepped`."""

    def finished(self, epoch, last, ended):
        """See `Saver.finished`."""
