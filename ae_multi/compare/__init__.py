"""Train the same models on every backend, and judge whether they agree."""

from ae_multi.compare.config import MODELS, Recipe, Settings
from ae_multi.compare.run import Comparison, compare

__all__ = ["MODELS", "Comparison", "Recipe", "Settings", "compare"]
