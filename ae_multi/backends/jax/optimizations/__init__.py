"""Rewrites of operations that make XLA faster on a CPU."""
