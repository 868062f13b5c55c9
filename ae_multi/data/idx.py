"""Reader of the IDX format of the MNIST files: a header, then unsigned bytes.

The header is two zero bytes, a byte for the type (8: unsigned byte), a byte for the number of
axes, and one big-endian 32-bit length per axis (http://yann.lecun.com/exdb/mnist).
"""

import gzip
import math
import struct
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file, wrap_read_errors
from ae_multi.io.zip_archive import max_unpacked_bytes

_UNSIGNED_BYTE = 8
_MAX_AXES = 64  # of a NumPy array


def read_idx(path: PathLike[str] | str, shape: Sequence[int] | None = None) -> np.ndarray:
    """Read an untrusted IDX file of unsigned bytes, gzipped or not.

    Args:
        path: the file. Its first bytes, not its name, determine whether it is gzipped.
        shape: required shape, or None for any.

    Returns:
        uint8 array of the shape in the header.

    Raises:
        InputError: not an IDX file, a different type or shape, too short, too long, or damaged.
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


def write_idx_header(shape: Sequence[int]) -> bytes:
    """Return the header of an IDX file of unsigned bytes of ``shape``."""
    return struct.pack(f">HBB{len(shape)}I", 0, _UNSIGNED_BYTE, len(shape), *shape)


def _read(file: Any, path: Path, shape: Sequence[int] | None) -> np.ndarray:
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] != _UNSIGNED_BYTE or magic[3] == 0:
        raise InputError(
            "Expected an IDX file of unsigned bytes, beginning with the bytes 00 00 08 and the "
            f"number of axes. Received: {path}, which begins with {magic.hex(' ') or 'nothing'}."
        )
    if magic[3] > _MAX_AXES:
        raise InputError(
            f"Expected an IDX file of at most {_MAX_AXES} axes. Received: {path} of {magic[3]}."
        )
    lengths = file.read(4 * magic[3])
    if len(lengths) < 4 * magic[3]:
        raise InputError(f"Expected a complete IDX header. Received: {path}, which ends within it.")
    stated = struct.unpack(f">{magic[3]}I", lengths)
    # The shape is checked before the data are read, so that a false header allocates no memory.
    if shape is not None and stated != tuple(shape):
        raise InputError(
            f"Expected an IDX file of shape {tuple(shape)}. Received: {path} of shape {stated}."
        )
    size = math.prod(stated)
    max_bytes = max_unpacked_bytes(path.stat().st_size)
    data = _read_at_most(file, min(size, max_bytes) + 1)
    if len(data) > max_bytes:
        raise InputError(
            f"Expected {path} to unpack to at most {max_bytes:,} bytes. Received: more than that."
        )
    if len(data) != size:
        received = "more" if len(data) > size else f"{len(data):,}"
        raise InputError(
            f"Expected {size:,} bytes after the header of {path}, whose shape is {stated}. "
            f"Received: {received}."
        )
    return np.frombuffer(data, np.uint8).reshape(stated)


def _read_at_most(file: Any, size: int) -> bytes:
    """Read up to ``size`` bytes in chunks, to allocate memory only for bytes that exist."""
    chunks, left = [], size
    while left and (chunk := file.read(min(left, 1 << 24))):
        chunks.append(chunk)
        left -= len(chunk)
    return b"".join(chunks)
