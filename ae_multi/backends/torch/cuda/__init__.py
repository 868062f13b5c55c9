"""Faster steps on one kind of device: a CUDA GPU."""
