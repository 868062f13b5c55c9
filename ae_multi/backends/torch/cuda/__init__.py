"""Optimizations of steps on CUDA GPUs."""
