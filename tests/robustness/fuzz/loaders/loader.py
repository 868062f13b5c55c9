"""Description of a loader."""

from dataclasses import dataclass

import numpy as np

RNG = np.random.default_rng(0)
IMAGES = RNG.random((24, 6, 6), np.float32)
ROWS = RNG.random((40, 5))


@dataclass(frozen=True)
class Loader:
    """One loader of the package.

    Attributes:
        suffix: suffix of its files.
        seeds: function that returns a dict of name to a function that writes a valid file to a
            path.
        load: function of a path that loads the file, uses its content, and asserts that the
            content is valid.
        backend: whether it needs Keras.
        share: its number of files relative to that of a loader with share 1.
    """

    suffix: str
    seeds: callable
    load: callable
    backend: bool = False
    share: float = 1.0
