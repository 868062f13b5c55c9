"""Random numbers from a seed, the same on every backend: weights, batch order and noise.

`streams` needs only NumPy and SciPy; the other names need Keras and are imported on first access.
"""

import importlib
from typing import Any

from ae_multi.randomness.streams import check_seed, permutation, stream

_HOME = {
    "Seeded": "initializers",
    "redraw": "weights",
    "GaussianNoise": "layers",
    "Dropout": "layers",
    "MaskingNoise": "layers",
    "SaltAndPepper": "layers",
}

__all__ = [
    "Dropout",
    "GaussianNoise",
    "MaskingNoise",
    "SaltAndPepper",
    "Seeded",
    "check_seed",
    "permutation",
    "redraw",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"ae_multi.randomness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ae_multi.randomness' has no attribute {name!r}")
