"""Options of checkpoints, and the start of a training from the newest checkpoint of its folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ae_multi.argument_checks import check_positive
from ae_multi.checkpoints import Folder, Interval, Position
from ae_multi.checkpoints.checkpoint import Checkpoint
from ae_multi.checkpoints.fingerprint import check_same, facts_of, key_of
from ae_multi.checkpoints.folder import read_checkpoint
from ae_multi.checkpoints.saver import Saver, Unsaved
from ae_multi.errors import InputError

if TYPE_CHECKING:
    from ae_multi._keras import keras
    from ae_multi.data.batches import BatchOrder
    from ae_multi.workers.group import Group

_log = logging.getLogger("ae_multi")


@dataclass(frozen=True)
class Checkpoints:
    """Options of a training's checkpoints.

    Attributes:
        folder: the folder of the checkpoints.
        every: the interval between checkpoints, in the form that `Interval.parse` reads.
        keep: number of checkpoints to keep, the newest.
        resume: whether to resume from the newest checkpoint.
        apart: whether different trainings share the folder, each in a subfolder named by `key_of`.
        facts: further JSON values that must be equal on resume, in addition to `facts_of`.
    """

    folder: PathLike[str] | str
    every: str = "1 epoch"
    keep: int = 3
    resume: bool = False
    apart: bool = False
    facts: dict = field(default_factory=dict)

    @classmethod
    def from_arguments(
        cls,
        checkpoint: PathLike[str] | str | Checkpoints | None,
        every: str,
        keep: int,
        resume: bool,
    ) -> Checkpoints | None:
        """Create the options from the arguments of `fit`; None without a checkpoint folder.

        Raises:
            InputError: an invalid value, or ``resume`` without a folder.
        """
        if checkpoint is None and resume:
            raise InputError("Expected checkpoint with resume=True, a folder. Received: None.")
        if checkpoint is None or isinstance(checkpoint, Checkpoints):
            return checkpoint
        Interval.parse(every)
        check_positive(keep=keep)
        return cls(checkpoint, every, keep, resume)

    def open(
        self,
        model: keras.Model,
        facts: dict,
        callbacks: Sequence[keras.callbacks.Callback],
        steps: int,
        epochs: int,
        say: Callable[[str], None],
        group: Group | None = None,
    ) -> Saver:
        """Open the folder and return the `Saver` of a training, with the checkpoint to resume.

        Args:
            model: a compiled and built Keras model.
            facts: what the training depends on, from `facts_of`.
            callbacks: list of Keras callbacks.
            steps: steps per epoch.
            epochs: the epoch to train up to.
            say: function that is called with a message about where the training starts.
            group: the group of workers, of which this is worker 0, or None.

        Returns:
            The `Saver`, to be closed after the training.

        Raises:
            InputError: a folder that cannot be used, that holds checkpoints although ``resume`` is
                False, or that holds checkpoints of another training.
        """
        every = Interval.parse(self.every)
        facts = {**self.facts, **facts}
        path = Path(self.folder) / key_of(facts) if self.apart else Path(self.folder)
        folder = Folder(path, self.keep)
        try:
            newest = folder.newest() if self.resume else None
            if not self.resume and folder.positions():
                raise InputError(
                    "Expected an empty folder for a new training's checkpoints, or resume=True to "
                    f"resume from them. Received: {path}, which holds {len(folder.positions())}."
                )
            checkpoint = newest and Checkpoint.read(path / newest[0].name, *newest)
            if checkpoint is not None:
                _check_found(checkpoint, facts, epochs)
            saver = Saver(folder, every, checkpoint, model, callbacks, steps, facts, group)
        except BaseException:
            folder.close()
            raise
        if checkpoint is not None:
            position = checkpoint.position
            step = f", step {position.step}" if position.step else ""
            say(f"Resuming after epoch {position.epoch}{step}, from {checkpoint.path}.")
        elif self.resume:
            say(f"Starting from the beginning: there is no checkpoint in {path}.")
        return saver

    def follow(
        self,
        model: keras.Model,
        facts: dict,
        callbacks: Sequence[keras.callbacks.Callback],
        steps: int,
        epochs: int,
        group: Group,
        position: Position | None,
    ) -> Saver:
        """Return the `Saver` of a worker that reads worker 0's checkpoint and writes none.

        Args:
            model: a compiled and built Keras model.
            facts: what the training depends on, from `facts_of`.
            callbacks: list of Keras callbacks.
            steps: steps per epoch.
            epochs: the epoch to train up to.
            group: the group of workers.
            position: the position that worker 0 resumes from, or None.

        Raises:
            InputError: a checkpoint that cannot be read, or of another training.
        """
        facts, checkpoint = {**self.facts, **facts}, None
        if position is not None:
            path = Path(self.folder) / key_of(facts) if self.apart else Path(self.folder)
            content = read_checkpoint(path / position.name)
            checkpoint = Checkpoint.read(path / position.name, position, *content)
            _check_found(checkpoint, facts, epochs)
        every = Interval.parse(self.every)
        return Saver(None, every, checkpoint, model, callbacks, steps, facts, group)


def saver_of(
    saved: Checkpoints | None,
    model: keras.Model,
    data: tuple,
    validation_data: Any,
    order: BatchOrder,
    callbacks: Sequence[keras.callbacks.Callback],
    epochs: int,
    verbose: int | str,
    group: Group | None = None,
) -> Saver | Unsaved:
    """Return the `Saver` of a training, or `Unsaved` for ``saved=None``.

    On resume the offset of ``order`` is set to that of the checkpoint. Otherwise the `Saver` takes
    the offset of ``order``.

    Args:
        saved: options of the checkpoints, or None.
        model: a compiled and built Keras model.
        data: (x, y, sample_weight), nested arrays or None.
        validation_data: nested arrays, a stream, or None.
        order: the order of the batches.
        callbacks: list of Keras callbacks.
        epochs: the epoch to train up to.
        verbose: 0 to log the start of the training without printing it.
        group: the group of workers, or None. Worker 0 writes checkpoints; all read them.

    Raises:
        InputError: see `Checkpoints.open`; in a group all workers raise it.
    """
    if saved is None:
        return Unsaved()

    def say(message):
        _log.info(message)
        if verbose != 0:
            print(message)

    facts = facts_of(model, data, validation_data, order, callbacks)
    arguments = model, facts, callbacks, order.steps, epochs
    if group is None:
        saver = saved.open(*arguments, say)
    else:
        saver = _saver_in_group(saved, arguments, say, group)
    if saver.position is None:
        saver.offset = order.offset
    else:
        order.offset = saver.offset
    return saver


def _saver_in_group(saved, arguments, say, group):
    """Return the `Saver` of a worker, or raise the error of any worker in all of them."""
    saver, error, position = None, None, None
    if group.rank == 0:
        try:
            saver = saved.open(*arguments, say, group)
            position = saver.position
        except InputError as raised:
            error = raised
    position, message = group.from_first([position, error and str(error)])
    if group.rank and message is None:
        try:
            position = position and Position(*position)
            saver = saved.follow(*arguments, group, position)
        except InputError as raised:
            error = raised
    messages = group.gather(message or (error and str(error)))
    if any(messages):
        if saver is not None:
            saver.close()
        raise error or InputError(next(filter(None, messages)))
    return saver


def check_unsaved(saved: Checkpoints | None, why: str) -> None:
    """Raise `InputError` if checkpoints are requested for a training that Keras's own `fit` runs.

    Args:
        saved: options of the checkpoints, or None.
        why: the reason why Keras runs the training.
    """
    if saved is not None:
        raise InputError(
            "Expected a training without Keras's own fit, which does not support checkpoints. "
            f"Received: checkpoint={str(saved.folder)!r}, while {why}."
        )


def _check_found(checkpoint: Checkpoint, facts: dict, epochs: int) -> None:
    """Raise `InputError` unless a training with these ``facts`` can resume from ``checkpoint``."""
    try:
        check_same(facts, checkpoint.facts, checkpoint.path)
    except InputError:
        raise
    except Exception as error:  # an altered file can hold any values as facts
        raise InputError(
            f"Expected a complete checkpoint. Received: {checkpoint.path}, whose facts cannot be "
            f"read ({type(error).__name__}: {error})."
        ) from error
    if checkpoint.position > (epochs, 0):
        raise InputError(
            f"Expected to train up to epoch {checkpoint.position.epoch} at least, as "
            f"{checkpoint.path} did. Received: epochs={epochs}."
        )
