"""Checkpoints of a training: a folder of them, and how often one is written."""

from ae_multi.checkpoints.every import Every
from ae_multi.checkpoints.folder import Folder, Place

__all__ = ["Every", "Folder", "Place"]
