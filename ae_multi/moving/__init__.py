"""Models moved to plain code of a framework, with their weights, and back."""

from ae_multi.moving.torch import to_torch

__all__ = ["to_torch"]
