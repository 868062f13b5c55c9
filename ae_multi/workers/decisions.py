"""Decisions that the workers of a group take together between runs of steps."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_multi.workers.group import Group


class Decisions:
    """Decisions of worker 0 that all workers follow.

    Args:
        group: the group.
        signals: the signals that this worker has received and not handled yet.
    """

    def __init__(self, group: Group, signals: Sized):
        self._group, self._signals = group, signals

    def any(self, value: bool) -> bool:
        """Return whether ``value`` is true on any worker."""
        return any(self._group.gather(bool(value)))

    def share(self, stop: bool, length: int) -> tuple[bool, int]:
        """Return the ``stop`` and ``length`` of worker 0.

        Args:
            stop: whether a callback has ended the training.
            length: number of steps in the next run.

        Raises:
            KeyboardInterrupt: a worker has received a signal; all workers end after the same step.
        """
        received = self._group.gather([bool(self._signals), bool(stop), length])
        if any(interrupted for interrupted, _, _ in received):
            raise KeyboardInterrupt
        return received[0][1], received[0][2]
