"""A folder with the newest checkpoints of one training, written atomically by one process."""

import contextlib
import logging
import os
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from ae_multi.argument_checks import check_positive
from ae_multi.checkpoints.lock import Lock
from ae_multi.errors import InputError
from ae_multi.io.archive import ArchiveFormat

FORMAT = ArchiveFormat("a checkpoint", format=1)
_NAME = re.compile(r"epoch-(\d{6,})-step-(\d{8,})\.checkpoint")

_log = logging.getLogger("ae_multi")


class Position(NamedTuple):
    """Progress of a training. A later position is the larger tuple.

    Attributes:
        epoch: number of complete epochs.
        step: number of complete steps of the next epoch.
    """

    epoch: int
    step: int

    @property
    def name(self) -> str:
        """Name of the checkpoint's file."""
        return f"epoch-{self.epoch:06d}-step-{self.step:08d}.checkpoint"

    @classmethod
    def of(cls, path: Path) -> "Position | None":
        """Parse the position from a file's name; None for other names."""
        match = _NAME.fullmatch(path.name)
        return match and cls(int(match[1]), int(match[2]))


class Folder:
    """A folder with the checkpoints of one training, locked for one process.

    Args:
        path: the folder, created if it does not exist.
        keep: number of checkpoints to keep, the newest.

    Attributes:
        path: the folder.

    Raises:
        InputError: a folder that cannot be written, or that another training writes to.
    """

    def __init__(self, path: PathLike[str] | str, keep: int = 3):
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
        # Temporary files of a killed process; the lock excludes another writer.
        for temporary in self.path.glob(".epoch-*.checkpoint"):
            with contextlib.suppress(OSError):
                temporary.unlink()

    def positions(self) -> list[Position]:
        """Return the positions of all checkpoints, complete or damaged, the oldest first."""
        return sorted(position for path in self.path.iterdir() if (position := Position.of(path)))

    def newest(self) -> tuple[Position, dict[str, Any], dict[str, bytes]] | None:
        """Read the newest complete checkpoint. Damaged ones are skipped and logged.

        Returns:
            (position, manifest, parts), or None if the folder has no checkpoints.

        Raises:
            InputError: there are checkpoints, and all of them are damaged.
        """
        positions, errors = self.positions(), []
        for position in reversed(positions):
            try:
                return position, *read_checkpoint(self.path / position.name)
            except InputError as error:
                errors.append(error)
                _log.warning("Skipped a damaged checkpoint. %s", error)
        if errors:
            raise InputError(
                f"Expected a complete checkpoint in {self.path}. Received: {len(errors)}, none of "
                f"them complete; the newest: {errors[0]}"
            )
        return None

    def write(
        self, position: Position, manifest: Mapping[str, Any], parts: Mapping[str, bytes]
    ) -> None:
        """Write a checkpoint to the disk and remove old ones.

        Args:
            position: position of the training.
            manifest: dict of JSON values.
            parts: dict of part name to content.

        Raises:
            OSError: the checkpoint could not be written; the existing ones are unchanged.
        """
        FORMAT.write(self.path / position.name, manifest, parts)
        _sync(self.path)  # the name has to be on the disk before older checkpoints are removed
        positions = self.positions()
        # Later checkpoints are damaged, or of a run that this training did not resume from.
        kept = [other for other in positions if other <= position][-self._keep :]
        for other in positions:
            if other not in kept:
                with contextlib.suppress(OSError):
                    (self.path / other.name).unlink()

    def close(self) -> None:
        """Unlock the folder for another training."""
        self._lock.release()


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the (manifest, parts) of a checkpoint file.

    Raises:
        InputError: a file that does not exist or is damaged.
    """
    return FORMAT.read(path)


def _sync(folder: Path) -> None:
    """Flush the names in a folder to the disk, if the system supports it."""
    if os.name == "nt":
        return
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
