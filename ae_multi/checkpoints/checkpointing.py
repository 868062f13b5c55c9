"""Where a training begins: at the beginning, or at a checkpoint of its own."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from ae_multi.checkpoints import Folder, Interval
from ae_multi.checkpoints.checkpoint import Checkpoint
from ae_multi.checkpoints.fingerprint import check_same, facts_of, key_of
from ae_multi.checkpoints.saver import Saver, Unsaved
from ae_multi.errors import InputError
from ae_multi.validation import check_positive

_log = logging.getLogger("ae_multi")


@dataclass(frozen=True)
class Checkpoints:
    """Where checkpoints go, and how often.

    Attributes:
        folder: the folder.
        every: as `Interval.parse` reads it.
        keep: how many stay.
        resume: whether to go on from the newest.
        apart: whether trainings that differ share the folder, each in a folder of its own in it.
        facts: plain values that have to be the same, beside those that `fit` knows.
    """

    folder: str | Path
    every: str = "1 epoch"
    keep: int = 3
    resume: bool = False
    apart: bool = False
    facts: dict = field(default_factory=dict)

    @classmethod
    def asked(cls, checkpoint, every, keep, resume):
        """What the arguments of `fit` ask for, or None.

        Raises:
            InputError: arguments that cannot be meant.
        """
        if checkpoint is None and resume:
            raise InputError("Expected checkpoint with resume=True, a folder. Received: None.")
        if checkpoint is None or isinstance(checkpoint, cls):
            return checkpoint
        Interval.parse(every)
        check_positive(keep=keep)
        return cls(checkpoint, every, keep, resume)

    def open(self, model, facts, callbacks, steps, epochs, say):
        """The `Saver` of a training, at the place that it goes on from.

        Args:
            model: a compiled and built Keras model.
            facts: what `facts_of` returned.
            callbacks: list of Keras callbacks.
            steps: steps of an epoch.
            epochs: the epoch to train up to.
            say: function that is told, in words, where the training begins.

        Raises:
            InputError: a folder that cannot be had, one with checkpoints where ``resume`` is
                False, or with those of another training.
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
                    f"go on from them. Received: {path}, which holds {len(folder.positions())}."
                )
            found = newest and Checkpoint.read(path / newest[0].name, *newest)
            if found is not None:
                _check_found(found, facts, epochs)
            saver = Saver(folder, every, found, model, callbacks, steps, facts)
        except BaseException:
            folder.close()
            raise
        if found is not None:
            position = found.position
            step = f", step {position.step}" if position.step else ""
            say(f"Goes on after epoch {position.epoch}{step}, from {found.path}.")
        elif self.resume:
            say(f"Begins at the beginning: there is no checkpoint in {path}.")
        return saver


def saver_of(saved, model, data, validation_data, order, callbacks, epochs, verbose):
    """The `Saver` of a training with the `Checkpoints` ``saved``; `Unsaved` where that is None."""
    if saved is None:
        return Unsaved()

    def say(words):
        _log.info(words)
        if verbose != 0:
            print(words)

    facts = facts_of(model, data, validation_data, order, callbacks)
    saver = saved.open(model, facts, callbacks, order.steps, epochs, say)
    if saver.position is None:
        saver.offset = order.offset
    else:
        order.offset = saver.offset
    return saver


def check_unsaved(saved, why):
    """Raise `InputError` where checkpoints are asked for of a training that Keras runs."""
    if saved is not None:
        raise InputError(
            "Expected a training that is not left to Keras's own fit, for checkpoints can be taken "
            f"of no other. Received: checkpoint={str(saved.folder)!r}, while {why}."
        )


def _check_found(found, facts, epochs):
    try:
        check_same(facts, found.facts, found.path)
    except InputError:
        raise
    except Exception as error:  # an altered file may tell anything in place of facts
        raise InputError(
            f"Expected a whole checkpoint. Received: {found.path}, whose facts cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error
    if found.position > (epochs, 0):
        raise InputError(
            f"Expected to train up to epoch {found.position.epoch} at least, as {found.path} did. "
            f"Received: epochs={epochs}."
        )
