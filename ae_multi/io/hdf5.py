"""Checks of untrusted HDF5 files of weights.

An HDF5 file can refer to other files, compute one dataset from others, and require filters that
are loaded as libraries. Files that Keras writes do none of this. The checks accept only numbers
that are stored in the file itself, each once.
"""

import io
import re
import struct
from dataclasses import dataclass
from typing import IO

import h5py

from ae_multi.errors import InputError

_KINDS = "biuf"  # allowed kinds of NumPy dtypes
_BFLOAT16 = "V2"  # h5py's dtype of Keras's bfloat16 datasets
_MAX_OBJECTS = 1_000_000
_NO_BLOCK = 1


@dataclass(frozen=True)
class Stored:
    """Size of the contents of a file.

    Attributes:
        arrays: number of datasets.
        values: number of values in all datasets.
    """

    arrays: int
    values: int


def check(file: IO[bytes], size: int, what: str) -> Stored:
    """Check every object in an HDF5 file.

    Args:
        file: open binary file.
        size: size of the file in bytes.
        what: content of the file, for error messages ("the weights in one.keras").

    Returns:
        The number of arrays and values in the file.

    Raises:
        InputError: the file is not an HDF5 file; it contains links, external, virtual, compressed
            or chunked datasets, or types other than numbers; or its shapes need more bytes than
            the file has.
    """
    file.seek(0)
    # `getbuffer` avoids a copy of a file that is already in memory.
    _check_heaps(file.getbuffer() if isinstance(file, io.BytesIO) else file.read(), what)
    file.seek(0)
    try:
        with h5py.File(file, "r") as root:
            return _Checker(what, size).check(root)
    except InputError:
        raise
    except Exception as error:  # h5py raises many types of errors for damaged files
        raise _refused(what, f"a damaged one ({type(error).__name__}: {error!s:.80})") from error


def _check_heaps(content: bytes | memoryview, what: str) -> None:
    """Check that no list of free blocks is cyclic; the HDF5 library would never reach its end.

    A local heap holds the names in a group: "HEAP", version, three bytes; then, as eight bytes
    each, the size of its data, the offset of the first free block (1 for none), and the address of
    the data. A free block begins with the offset of the next one (HDF5 File Format Specification,
    III.D).
    """
    for match in re.finditer(b"HEAP\0", content):
        head = content[match.start() + 8 : match.start() + 32]
        if len(head) < 24:
            continue
        size, block, data = struct.unpack("<3Q", head)
        if data + size > len(content):
            continue  # the library raises an error for it
        blocks_left = size // 16 + 1  # a free block has at least sixteen bytes
        while block != _NO_BLOCK and block + 16 <= size and blocks_left >= 0:
            (block,) = struct.unpack("<Q", content[data + block : data + block + 8])
            blocks_left -= 1
        if blocks_left < 0:
            raise _refused(what, "a cycle of free blocks")


class _Checker:
    """Check of all groups and datasets in one file."""

    def __init__(self, what: str, size: int) -> None:
        self._what, self._size = what, size
        self._addresses: set[int] = set()
        self._bytes, self._arrays, self._values = 0, 0, 0

    def check(self, root: h5py.Group) -> Stored:
        groups = [root]
        while groups:
            group = groups.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise self._refused(name, f"a {type(link).__name__}")
                entry = group[name]
                self._check_unique(name, entry)
                if isinstance(entry, h5py.Group):
                    groups.append(entry)
                elif isinstance(entry, h5py.Dataset):
                    self._check_dataset(name, entry)
                else:
                    raise self._refused(name, "an object that is neither a dataset nor a group")
        return Stored(self._arrays, self._values)

    def _check_unique(self, name, entry):
        address = h5py.h5o.get_info(entry.id).addr
        if len(self._addresses) >= _MAX_OBJECTS:
            raise self._refused(name, f"more than {_MAX_OBJECTS:,} objects")
        if address in self._addresses:
            raise self._refused(name, "an object with several names")
        self._addresses.add(address)

    def _check_dataset(self, name, dataset):
        if dataset.external or dataset.is_virtual:
            raise self._refused(name, "data in another file")
        if dataset.chunks is not None:
            raise self._refused(name, "chunked data")
        dtype = dataset.dtype
        if (dtype.kind not in _KINDS and dtype.str[1:] != _BFLOAT16) or dtype.subdtype:
            raise self._refused(name, f"values of the type {dtype}")
        if dataset.shape is None:
            raise self._refused(name, "no values")
        stored = dataset.id.get_storage_size()
        if dataset.nbytes != stored:
            raise self._refused(
                name,
                f"{dataset.shape} of {dtype}, {dataset.nbytes:,} bytes, of which {stored:,} are "
                "stored",
            )
        self._bytes += stored
        if self._bytes > self._size:
            raise self._refused(name, f"more than the {self._size:,} bytes of the file")
        self._arrays += 1
        self._values += dataset.size

    def _refused(self, name, reason):
        return _refused(self._what, f"{reason}, as {name!r:.80}")


def _refused(what, reason):
    return InputError(f"Expected {what} to be an HDF5 file of numbers alone. Received: {reason}.")
