"""Training: what is trained, how it went, and how good the result is."""

from ae_multi.training.recipe import MODELS, Recipe

__all__ = ["MODELS", "Recipe"]
