"""A folder with the checkpoints of one training, and the interval between them."""

from ae_multi.checkpoints.folder import Folder, Position
from ae_multi.checkpoints.interval import Interval

__all__ = ["Folder", "Interval", "Position"]
