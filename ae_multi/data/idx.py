"""The IDX format of the MNIST files: a header, then unsigned bytes.

The header is two zero bytes, a byte for the type (8: unsigned byte), a byte for the number of
axes, and one big-endian 32-bit length an axis (http://yann.lecun.com/exdb/mnist).
"""

import gzip
import math
import struct
from pathlib import Path

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file, wrap_read_errors
from ae_multi.io.zip_archive import max_unpacked_bytes

_UNSIGNED_BYTE = 8
_AXES = 64  # the most that a NumPy array has


def read_idx(path, shape=None):
    """Read an IDX file of unsigned bytes, gzipped or not, and trust nothing in it.

    Args:
        path: the file; whether it is gzipped is seen from its first bytes, not its name.
        shape: the shape that it must have, or None for any.

    Returns:
        uint8 array of the shape that the header states.

    Raises:
        InputError: no IDX file, another type or shape, too short, too long, or damaged.
    """
    path = Path(path)
    check_file(path, "an IDX file")
    with wrap_read_errors(path, "IDX file"), open(path, "rb") as raw:
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not gzipped:
            return _read(raw, path, shape)
        with gzip.GzipFile(fileobj=raw) as file:
            return _read(file, path, shape)


def write_idx_header(shape):
    """The header of an IDX file of unsigned bytes of ``shape``."""
    return struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape)


def _read(file, path, shape):
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTE or magic[3] == 0:
        raise InputError(
            "Expected an IDX file of unsigned bytes, beginning with the bytes 00 00 08 and the "
            f"number of axes. Received: {path}, which begins with {magic.hex(' ') or 'nothing'}."
        )
    if magic[3] > _AXES:
        raise InputError(
            f"Expected an IDX file of at most {_AXES} axes. Received: {path} of {magic[3]}."
        )
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise InputError(f"Expected a whole IDX header. Received: {path}, which ends within it.")
    stated = struct.unpack(f">{magic[3]}I", lengths)
    # The shape is checked before the bytes are read, so that a wrong header takes no memory.
    if shape is not None and stated != tuple(shape):
        raise InputError(
            f"Expected an IDX file of shape {tuple(shape)}. Received: {path} of shape {stated}."
        )
    size = math.prod(stated)
    most = max_unpacked_bytes(path.stat().st_size)
    data = _read_at_most(file, min(size, most) + 1)
    if len(data) > most:
        raise InputError(
            f"Expected {path} to unpack to at most {most:,} bytes. Received: more than that."
        )
    if len(data) != size:
        came = "more" if len(data) > size else f"{len(data):,}"
        raise InputError(
            f"Expected {size:,} bytes after the header of {path}, whose shape is {stated}. "
            f"Received: {came}."
        )
    return np.frombuffer(data, np.uint8).reshape(stated)


def _read_at_most(file, size):
    """Up to ``size`` bytes, read in pieces: memory is taken for what is there, not for a claim."""
    pieces, left = [], size
    while left and (piece := file.read(min(left, 1 << 24))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
