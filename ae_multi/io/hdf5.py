"""HDF5 files of weights from outside: numbers that lie in the file itself, each once.

An HDF5 file can point at other files, compute one dataset from others, and ask for filters that
are loaded as libraries. What Keras writes does none of it.
"""

import io
import re
import struct
from dataclasses import dataclass

import h5py

from ae_multi.errors import InputError

_KINDS = "biuf"
_BFLOAT16 = "V2"  # h5py's type for what Keras marks as bfloat16
_MAX_OBJECTS = 1_000_000
_NO_BLOCK = 1


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        arrays: how many.
        values: how many numbers in all of them.
    """

    arrays: int
    values: int


def check(file, size, what):
    """What the HDF5 file ``file`` holds, after a look at every object in it.

    Args:
        file: open binary file.
        size: how many bytes it has.
        what: what it is, for the message ("the weights in one.keras").

    Raises:
        InputError: no HDF5 file; links of any kind, data elsewhere or computed, compressed or in
            pieces; types that are no numbers; shapes for more bytes than the file has.
    """
    file.seek(0)
    # Of what is in memory already no copy is made.
    _check_heaps(file.getbuffer() if isinstance(file, io.BytesIO) else file.read(), what)
    file.seek(0)
    try:
        with h5py.File(file, "r") as root:
            return _Walk(what, size).through(root)
    except InputError:
        raise
    except Exception as error:  # h5py lets through whatever its library says, in many ways
        raise _refused(what, f"a damaged one ({type(error).__name__}: {error!s:.80})") from error


def _check_heaps(content, what):
    """See that no list of free blocks leads back to itself, where the library would go for ever.

    A local heap, which holds the names in a group: "HEAP", version, three bytes; then, of eight
    bytes each, the size of its data, the first free block, 1 for none, and where the data are. A
    free block begins with the next one's place (HDF5 File Format Specification, III.D).
    """
    for found in re.finditer(b"HEAP\0", content):
        head = content[found.start() + 8 : found.start() + 32]
        if len(head) < 24:
            continue
        size, block, data = struct.unpack("<3Q", head)
        if data + size > len(content):
            continue  # the library refuses it
        left = size // 16 + 1  # a free block has at least sixteen bytes
        while block != _NO_BLOCK and block + 16 <= size and left >= 0:
            (block,) = struct.unpack("<Q", content[data + block : data + block + 8])
            left -= 1
        if left < 0:
            raise _refused(what, "free blocks in a circle")


class _Walk:
    def __init__(self, what, size):
        self._what, self._size = what, size
        self._seen, self._bytes, self._arrays, self._values = set(), 0, 0, 0

    def through(self, root):
        groups = [root]
        while groups:
            group = groups.pop()
            for name in group:
                link = group.get(name, getlink=True)
                if not isinstance(link, h5py.HardLink):
                    raise self._refused(name, f"a {type(link).__name__}")
                entry = group[name]
                self._count_once(name, entry)
                if isinstance(entry, h5py.Group):
                    groups.append(entry)
                elif isinstance(entry, h5py.Dataset):
                    self._take(name, entry)
                else:
                    raise self._refused(name, "neither numbers nor a group of such")
        return Stored(self._arrays, self._values)

    def _count_once(self, name, entry):
        place = h5py.h5o.get_info(entry.id).addr
        if place in self._seen or len(self._seen) >= _MAX_OBJECTS:
            raise self._refused(name, "what stands in another place, too")
        self._seen.add(place)

    def _take(self, name, dataset):
        if dataset.external or dataset.is_virtual:
            raise self._refused(name, "data in another file")
        if dataset.chunks is not None:
            raise self._refused(name, "data in pieces")
        kind = dataset.dtype
        if (kind.kind not in _KINDS and kind.str[1:] != _BFLOAT16) or kind.subdtype:
            raise self._refused(name, f"values of the type {kind}")
        if dataset.shape is None:
            raise self._refused(name, "no values")
        held = dataset.id.get_storage_size()
        if dataset.nbytes != held:
            raise self._refused(
                name, f"{dataset.shape} of {kind}, {dataset.nbytes:,} bytes, where {held:,} are"
            )
        self._bytes += held
        if self._bytes > self._size:
            raise self._refused(name, f"more than the {self._size:,} bytes of the file")
        self._arrays += 1
        self._values += dataset.size

    def _refused(self, name, reason):
        return _refused(self._what, f"{reason}, as {name!r:.80}")


def _refused(what, reason):
    return InputError(f"Expected {what} to be an HDF5 file of numbers alone. Received: {reason}.")
