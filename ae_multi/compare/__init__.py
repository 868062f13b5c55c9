"""Train the same models on every backend and decide whether they agree."""

from ae_multi.compare.config import MODELS, CompareConfig, TrainingConfig
from ae_multi.compare.run import Comparison, compare

__all__ = ["MODELS", "CompareConfig", "Comparison", "TrainingConfig", "compare"]
