"""Data sets, their order, and what a model must beat on them."""

from ae_multi.data.dataset import Dataset
from ae_multi.data.load import load_data

__all__ = ["Dataset", "load_data"]
