"""The checkpoints of one training in a folder: one writer, none half written, the newest kept."""

import contextlib
import logging
import os
import re
from pathlib import Path
from typing import NamedTuple

from ae_multi.checkpoints.lock import Lock
from ae_multi.errors import InputError
from ae_multi.io.archive import ArchiveFormat
from ae_multi.validation import check_positive

FORMAT = ArchiveFormat("a checkpoint", format=1)
_NAME = re.compile(r"epoch-(\d{6,})-step-(\d{8,})\.checkpoint")

_log = logging.getLogger("ae_multi")


class Position(NamedTuple):
    """How far a training is: a later place is the larger tuple.

    Attributes:
        epoch: epochs that are done.
        step: steps of the next epoch that are done.
    """

    epoch: int
    step: int

    @property
    def name(self):
        """The name of its file."""
        return f"epoch-{self.epoch:06d}-step-{self.step:08d}.checkpoint"

    @classmethod
    def of(cls, path):
        """The place that a file's name tells of, or None."""
        found = _NAME.fullmatch(path.name)
        return found and cls(int(found[1]), int(found[2]))


class Folder:
    """A folder that holds the checkpoints of one training and is written by one process.

    Args:
        path: where; made if it is not there.
        keep: how many checkpoints stay, the newest.

    Raises:
        InputError: a folder that cannot be written, or that another training writes to.
    """

    def __init__(self, path, keep=3):
        check_positive(keep=keep)
        self.path, self._keep = Path(path), keep
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(self.path / "lock")
            _sync(self.path.parent)
        except OSError as error:
            raise InputError(
                "Expected a folder that checkpoints can be written to. "
                f"Received: {self.path} ({error.strerror})."
            ) from error
        # What a killed process was about to write; nobody else writes here now.
        for half in self.path.glob(".epoch-*.checkpoint"):
            with contextlib.suppress(OSError):
                half.unlink()

    def positions(self):
        """Where there are checkpoints, whole or not: list of `Position`, the oldest first."""
        return sorted(position for path in self.path.iterdir() if (position := Position.of(path)))

    def newest(self):
        """(place, manifest, parts) of the newest whole checkpoint, or None where there is none.

        One that is damaged is passed over, and the log says so.

        Raises:
            InputError: there are checkpoints, and none of them is whole.
        """
        positions, damage = self.positions(), []
        for position in reversed(positions):
            try:
                return position, *FORMAT.read(self.path / position.name)
            except InputError as error:
                damage.append(error)
                _log.warning("Passed over a checkpoint. %s", error)
        if damage:
            raise InputError(
                f"Expected a whole checkpoint in {self.path}. Received: {len(damage)}, none of "
                f"them whole; the newest: {damage[0]}"
            )
        return None

    def write(self, position, manifest, parts):
        """Write the checkpoint of ``position``, on the disk when this returns, and remove old ones.

        Raises:
            OSError: it could not be written; what was there before is there still.
        """
        FORMAT.write(self.path / position.name, manifest, parts)
        _sync(self.path)  # the name, too, has to be on the disk before older ones may go
        positions = self.positions()
        # Those of a later place were damaged, or this training had not gone on from another.
        kept = [other for other in positions if other <= position][-self._keep :]
        for other in positions:
            if other not in kept:
                with contextlib.suppress(OSError):
                    (self.path / other.name).unlink()

    def close(self):
        """Let another training write here."""
        self._lock.release()


def _sync(folder):
    """Bring a folder's names to the disk, where the system can."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
