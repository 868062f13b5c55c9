"""One seed, the same numbers on every backend: weights, batch order, noise.

`streams` is plain NumPy; the other names need Keras and are imported when asked for.
"""

import importlib

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


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(f"ae_multi.randomness.{_HOME[name]}"), name)
    raise AttributeError(f"module 'ae_multi.randomness' has no attribute {name!r}")
