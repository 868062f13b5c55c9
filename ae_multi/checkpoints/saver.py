"""Checkpoints of a running training, copied between steps and written by a background thread."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ae_multi._keras import keras
from ae_multi.checkpoints import Folder, Interval, Position
from ae_multi.checkpoints.checkpoint import Checkpoint
from ae_multi.checkpoints.state import get_state, set_state
from ae_multi.environment import checkpoint_versions
from ae_multi.io.serialization import PartsWriter
from ae_multi.workers.state import check_equal

if TYPE_CHECKING:
    from ae_multi.workers.group import Group

_log = logging.getLogger("ae_multi")


class Saver:
    """Writer of a training's checkpoints, which also restores the checkpoint to resume.

    The state is copied between two steps, and a background thread writes the copy, one at a time.

    Args:
        folder: the folder of checkpoints; `close` closes it. None in workers that do not write.
        every: the interval between checkpoints.
        found: the checkpoint to resume, or None.
        model: a compiled and built Keras model.
        callbacks: list of Keras callbacks.
        steps: steps per epoch.
        facts: what the training depends on, from `facts_of`, to compare on resume.
        group: the group of workers, which compare their variables at each checkpoint, or None.

    Attributes:
        position: the `Position` to resume from, or None.
        ended: whether a callback had ended the training there.
        plan: name of the plan that runs the steps; set it before the first step.
        offset: number of epochs trained before, which is added to the number of each epoch for its
            batch order; set it if ``position`` is None.
    """

    def __init__(
        self,
        folder: Folder | None,
        every: Interval,
        found: Checkpoint | None,
        model: keras.Model,
        callbacks: Sequence[keras.callbacks.Callback],
        steps: int,
        facts: dict[str, Any],
        group: "Group | None" = None,
    ):
        self._folder, self._every, self._group = folder, every, group
        self._model, self._callbacks, self._steps = model, callbacks, steps
        self._head = {"facts": facts, "versions": checkpoint_versions()}
        self.plan: str | None = None
        self.offset = 0
        self._executor = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future | None = None
        self._last_time = time.monotonic()
        self._state: Any = None
        self.position: Position | None = None
        self.ended = False
        if found is not None:
            self.position, self.ended, self._state = found.position, found.ended, found.state
            self.offset = found.offset
            if found.backend == keras.config.backend():
                self.plan = found.plan

    def begin(self, epoch: int) -> int:
        """Return the epoch to begin with: that of the checkpoint, otherwise ``epoch``.

        Call it after `on_train_begin` of the callbacks. A state between two epochs is restored.
        """
        if self.position is None:
            return epoch
        if not self.position.step:
            self._restore()
        return self.position.epoch

    def enter(self, epoch: int) -> int:
        """Return the number of steps of ``epoch`` that are done.

        Call it after the metrics are reset and after `on_epoch_begin` of the callbacks. A state
        within the epoch is restored.
        """
        if self.position is None or self.position.epoch != epoch or not self.position.step:
            return 0
        self._restore()
        return self.position.step

    def steps_left(self, epoch: int, step: int) -> int | None:
        """Return the maximum number of steps of the next run, or None for any number."""
        return self._every.steps_left(epoch * self._steps + step)

    def stepped(self, epoch: int, step: int) -> None:
        """Write a checkpoint if one is due after ``step`` steps of ``epoch``."""
        if step < self._steps and self._is_due(epoch * self._steps + step):
            self._save(Position(epoch, step), ended=False)

    def finished(self, epoch: int, last: bool, ended: bool) -> None:
        """Write a checkpoint if one is due after ``epoch``.

        Args:
            epoch: number of the epoch that is done.
            last: whether it is the last one; then a checkpoint is always due.
            ended: whether a callback has ended the training.
        """
        due = self._every.unit == "epoch" and (epoch + 1) % self._every.count == 0
        if last or due or self._is_due((epoch + 1) * self._steps):
            self._save(Position(epoch + 1, 0), ended)

    def close(self) -> None:
        """Wait until the last checkpoint is written, then unlock the folder."""
        try:
            self._wait()
        finally:
            self._executor.shutdown()
            if self._folder is not None:
                self._folder.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _is_due(self, steps: int) -> bool:
        if self._every.unit == "second":
            is_due = time.monotonic() - self._last_time >= self._every.count
            return is_due if self._group is None else self._group.from_first(is_due)
        return self._every.unit == "step" and steps % self._every.count == 0

    def _restore(self) -> None:
        set_state(self._state, self._model, self._callbacks)
        self._state = None  # frees the memory

    def _save(self, position: Position, ended: bool) -> None:
        """Copy the state and start to write it, once the previous checkpoint is written."""
        if self._group is not None:
            check_equal(self._group, self._model)
        if self._folder is None:
            return
        state = get_state(self._model, self._callbacks)
        self._wait()
        write = self._executor.submit(self._write, self._folder, position, state, ended)
        self._pending = write
        self._last_time = time.monotonic()

    def _write(
        self, folder: Folder, position: Position, state: dict[str, Any], ended: bool
    ) -> None:
        writer = PartsWriter()
        manifest = {
            **self._head,
            "plan": self.plan,
            "ended": bool(ended),
            "offset": self.offset,
            "state": writer.plain(state, "a callback's state"),
        }
        folder.write(position, manifest, writer.parts)

    def _wait(self) -> None:
        """Wait until the pending checkpoint is written; log an error of the disk."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except OSError as error:
            # The training continues, since it is worth more than its checkpoint.
            _log.error(
                "Expected to be able to write a checkpoint to %s. Received: %s. Older checkpoints "
                "are complete. The training continues, and the next checkpoint is tried when due.",
                self._folder and self._folder.path,
                error.strerror or error,
            )


class Unsaved:
    """Replacement of `Saver` for a training without checkpoints."""

    position: Position | None = None
    plan: str | None = None
    ended = False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def begin(self, epoch: int) -> int:
        """Return ``epoch``; see `Saver.begin`."""
        return epoch

    def enter(self, epoch: int) -> int:
        """Return 0; see `Saver.enter`."""
        return 0

    def steps_left(self, epoch: int, step: int) -> int | None:
        """Return None; see `Saver.steps_left`."""
        return None

    def stepped(self, epoch: int, step: int) -> None:
        """Do nothing; see `Saver.stepped`."""

    def finished(self, epoch: int, last: bool, ended: bool) -> None:
        """Do nothing; see `Saver.finished`."""
