"""Recipes: what is trained, how it went, and how good the result is."""

from ae_multi.recipes.recipe import MODELS, Recipe

__all__ = ["MODELS", "Recipe"]
