"""The description of a loader."""

from dataclasses import dataclass

import numpy as np

RNG = np.random.default_rng(0)
IMAGES = RNG.random((24, 6, 6), np.float32)
ROWS = RNG.random((40, 5))


@dataclass(frozen=True)
class Loader:
    """One loader of the package.

    Attributes:
        suffix: of its files.
        seeds: function of a folder that returns dict of names to writers, functions of a path.
        load: function of a path: loads, uses what was loaded, and asserts that it is sound.
        backend: whether it needs Keras.
        share: how many files it gets, beside 1 for others.
    """

    suffix: str
    seeds: callable
    load: callable
    backend: bool = False
    share: float = 1.0
