"""Architectures that people use, at reduced size, each judged on every backend."""
