"""Data sets, and the order of their samples in batches."""

from ae_multi.data.dataset import Dataset
from ae_multi.data.load import load_data

__all__ = ["Dataset", "load_data"]
