"""Reader of ``.npz`` files whose arrays have known shapes."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import npy, npz


def read_npz(
    path: PathLike[str] | str, shapes: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Read uint8 arrays of known shapes from an ``.npz`` file, without unpickling.

    The headers are checked before any data are read, so that a header that claims a terabyte
    allocates no memory.

    Args:
        path: the file.
        shapes: dict of array name to shape.

    Returns:
        Dict of array name to uint8 array.

    Raises:
        InputError: not a zip file, or an array that is missing, of a different shape or type,
            pickled, or damaged.
    """
    with npz.opened(path) as arrays:
        for name, shape in shapes.items():
            _check_header(arrays, path, name, tuple(shape))
        return {name: arrays.read(name) for name in shapes}


def _check_header(arrays: Any, path: PathLike[str] | str, name: str, shape: tuple) -> None:
    with arrays.open(name) as file:
        stated, fortran, dtype = npy.read_header(file, f"{name} in {path}")
    if stated != shape or dtype != np.uint8 or fortran:
        raise InputError(
            f"Expected {name!r} in {path} of shape {shape} and type uint8. "
            f"Received: shape {stated} of {dtype}{', Fortran order' if fortran else ''}."
        )
