"""Arrays in an .npz file from outside, a zip archive of .npy files."""

import contextlib

from ae_multi.errors import InputError
from ae_multi.io import npy, zip_archive

_SUFFIX = ".npy"


class Arrays:
    """The arrays of an open file.

    Attributes:
        names: their names, in order.
    """

    def __init__(self, archive, where):
        self._archive, self._where = archive, where
        self.names = [name.removesuffix(_SUFFIX) for name in archive.names]

    def read(self, name, kinds=npy.NUMBERS + npy.TEXT):
        """One array, see `npy.read`."""
        with self.open(name) as file:
            size = self._archive.size(name + _SUFFIX)
            return npy.read(file, size, f"{name} in {self._where}", kinds)

    @contextlib.contextmanager
    def open(self, name):
        """One array's .npy file; an `InputError` where there is none of this name."""
        if name + _SUFFIX not in self._archive.names:
            held = ", ".join(sorted(self.names)[:8]) or "nothing"
            raise InputError(
                f"Expected {self._where} to hold the array {name!r}. Received: {held}."
            )
        with self._archive.open(name + _SUFFIX) as file:
            yield file

    def all(self):
        """Dict of every array's name to the array."""
        return {name: self.read(name) for name in self.names}


@contextlib.contextmanager
def opened(path, what="the .npz file"):
    """The `Arrays` in the file ``path``, open as long as the block; see `zip_archive.opened`."""
    with zip_archive.opened(path, what) as archive:
        yield Arrays(archive, path)
