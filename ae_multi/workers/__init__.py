"""Data-parallel training: several workers compute parts of each batch and share one result.

A worker is a process with the environment variables RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT,
as torchrun sets them. The workers communicate by the framework's own engine: `torch.distributed`,
TensorFlow's collectives or `jax.distributed`.
"""

from ae_multi.workers.group import Group, current
from ae_multi.workers.ray_actors import ray

__all__ = ["Group", "current", "ray"]
