"""Reader of untrusted .npz files, which are zip archives of .npy files."""

import contextlib
import os
from collections.abc import Iterator
from typing import IO

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io import npy, zip_archive

_SUFFIX = ".npy"


class Arrays:
    """The arrays of an open .npz file.

    Attributes:
        names: names of the arrays, in file order.
    """

    def __init__(self, archive: zip_archive.Archive, where: object) -> None:
        self._archive, self._where = archive, where
        self.names = [name.removesuffix(_SUFFIX) for name in archive.names]

    def read(self, name: str, kinds: str = npy.NUMBERS + npy.TEXT) -> np.ndarray:
        """Read one array; see `npy.read`."""
        with self.open(name) as file:
            size = self._archive.size(name + _SUFFIX)
            return npy.read(file, size, f"{name} in {self._where}", kinds)

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Context manager that yields the .npy file of one array.

        Raises:
            InputError: there is no array of this name.
        """
        if name + _SUFFIX not in self._archive.names:
            names = ", ".join(sorted(self.names)[:8]) or "nothing"
            raise InputError(
                f"Expected {self._where} to hold the array {name!r}. Received: {names}."
            )
        with self._archive.open(name + _SUFFIX) as file:
            yield file

    def all(self) -> dict[str, np.ndarray]:
        """Read all arrays into a dict of names to arrays."""
        return {name: self.read(name) for name in self.names}


@contextlib.contextmanager
def opened(
    path: os.PathLike[str] | str | IO[bytes], what: str = "the .npz file"
) -> Iterator[Arrays]:
    """Context manager that yields the `Arrays` in the file ``path``; see `zip_archive.opened`."""
    with zip_archive.opened(path, what) as archive:
        yield Arrays(archive, path)
