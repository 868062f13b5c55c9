"""Rewritten operations that XLA runs faster on a CPU."""
