"""Arrays from an ``.npz`` file of which shape and type are known beforehand."""

import zipfile

import numpy as np

from ae_multi.errors import InputError
from ae_multi.files import read_whole


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
    with read_whole(path, ".npz file"), zipfile.ZipFile(path) as archive:
        return {
            name: _read_array(archive, path, name, tuple(shape)) for name, shape in shapes.items()
        }


def _read_array(archive, path, name, shape):
    if f"{name}.npy" not in archive.namelist():
        held = ", ".join(sorted(entry.removesuffix(".npy") for entry in archive.namelist()))
        raise InputError(
            f"Expected {path} to hold the array {name!r}. Received: {held or 'nothing'}."
        )
    with archive.open(f"{name}.npy") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            stated, fortran, dtype = read_header(file)
        except (KeyError, ValueError) as error:
            raise InputError(
                f"Expected {name!r} in {path} to be a NumPy array. Received: {error}."
            ) from error
        if dtype.hasobject:
            raise InputError(
                f"Expected {name!r} in {path} to be numbers. Received: pickled Python objects, "
                "which could run code and are never loaded."
            )
        if stated != shape or dtype != np.uint8 or fortran:
            raise InputError(
                f"Expected {name!r} in {path} of shape {shape} and type uint8. "
                f"Received: shape {stated} of {dtype}{', Fortran order' if fortran else ''}."
            )
        size = int(np.prod(shape))
        data = file.read(size + 1)
    if len(data) != size:
        raise InputError(
            f"Expected {size:,} bytes for {name!r} in {path}. Received: {len(data):,}."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)
