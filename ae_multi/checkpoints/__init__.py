"""Checkpoints of a training: a folder of them, and how often one is written."""

from ae_multi.checkpoints.folder import Folder, Position
from ae_multi.checkpoints.interval import Interval

__all__ = ["Folder", "Interval", "Position"]
