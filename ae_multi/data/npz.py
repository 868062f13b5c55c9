"""Arrays from an ``.npz`` file of which shape and type are known beforehand."""

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import npy, npz


def read_npz(path, shapes):
    """Read uint8 arrays of known shapes from an ``.npz`` file; never unpickles.

    The headers are compared before any data is read, so that a file that claims to hold a
    terabyte takes no memory.

    Args:
        path: the file.
        shapes: dict of array name to shape.

    Returns:
        Dict of array name to uint8 array.

    Raises:
        InputError: no zip file, an array missing, of another shape or type, pickled, or damaged.
    """
    with npz.opened(path) as arrays:
        for name, shape in shapes.items():
            _check_header(arrays, path, name, tuple(shape))
        return {name: arrays.read(name) for name in shapes}


def _check_header(arrays, path, name, shape):
    with arrays.open(name) as file:
        stated, fortran, dtype = npy.read_header(file, f"{name} in {path}")
    if stated != shape or dtype != np.uint8 or fortran:
        raise InputError(
            f"Expected {name!r} in {path} of shape {shape} and type uint8. "
            f"Received: shape {stated} of {dtype}{', Fortran order' if fortran else ''}."
        )
