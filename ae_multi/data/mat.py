"""Tables in MATLAB's files, as the ODDS library has them: rows X and marks y.

Read here and not by SciPy, whose reader ends the process over some damaged files. Of the format
(MathWorks, "MAT-File Format", version 5) this knows arrays of real numbers: a header of 128 bytes,
then elements, each a type, a number of bytes and its content; a matrix is an element of elements.
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file
from ae_multi.io.zip_archive import max_unpacked_bytes

_HEADER, _VERSION = 128, 0x0100
_MATRIX, _PACKED = 14, 15  # types of elements
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_CLASSES, _COMPLEX = range(6, 16), 0x0800  # of matrices of numbers, and a flag beside


def read_mat(path):
    """Read rows of numbers and which of them are outliers.

    Returns:
        X, float64 (n, features), and y, integers (n,), 1 for outliers.

    Raises:
        InputError: no MATLAB file of version 5 with X and y, finite real numbers.
    """
    check_file(path, "the table")
    content = Path(path).read_bytes()
    try:
        held = dict(_matrices(content, max_unpacked_bytes(len(content))))
        rows, marks = held["X"].astype(float), held["y"].ravel().astype(float)
        if rows.ndim != 2 or not rows.size or marks.shape != rows.shape[:1]:
            raise ValueError(f"X of shape {rows.shape} and y of shape {held['y'].shape}")
        if not (np.isfinite(rows).all() and np.isin(marks, (0, 1)).all()):
            raise ValueError("X that is not finite, or y that is neither 0 nor 1")
    except (ValueError, KeyError, struct.error, zlib.error, OverflowError) as error:
        raise InputError(
            f"Expected a MATLAB file of version 5, finite numbers X and marks y. Received: {path} "
            f"({type(error).__name__}: {error!s:.200})."
        ) from error
    return rows, marks.astype(int)


def _matrices(content, most):
    """(name, array) of each matrix of real numbers in a file."""
    order = {b"IM": "<", b"MI": ">"}[content[_HEADER - 2 : _HEADER]]
    (version,) = struct.unpack(f"{order}H", content[_HEADER - 4 : _HEADER - 2])
    if version != _VERSION:
        raise ValueError(f"version {version:#x}")
    for kind, part in _elements(content[_HEADER:], order):
        if kind == _PACKED:
            part = zlib.decompressobj().decompress(part, most)
            most -= len(part)
            if most <= 0:
                raise ValueError("far more than the file holds")
            ((kind, part),) = _elements(part, order)
        if kind == _MATRIX:
            yield from _matrix(part, order)


def _elements(content, order):
    """(type, bytes) of each element; up to four bytes may lie within the tag."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack(f"{order}II", content[place : place + 8])
        begin, step = place + 8, 8 + size + (-size % 8 if kind != _PACKED else 0)
        if kind >> 16:
            kind, size, begin, step = kind & 0xFFFF, kind >> 16, place + 4, 8
        part = content[begin : begin + size]
        if len(part) != size or (begin == place + 4 and size > 4):
            raise ValueError(f"an element of {size:,} bytes, where {len(part):,} are")
        yield kind, part
        place += step


def _matrix(content, order):
    parts = list(_elements(content, order))
    if len(parts) < 4:
        return
    (_, flags), (_, sizes), (_, name), (kind, numbers) = parts[:4]
    (flags,) = struct.unpack(f"{order}I", flags[:4])
    if flags & 0xFF not in _CLASSES or flags & _COMPLEX or kind not in _NUMBERS:
        return
    array = np.frombuffer(numbers, order + _NUMBERS[kind])
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape, default=-1) < 0 or math.prod(shape) != array.size:
        raise ValueError(f"a shape of {shape} for {array.size:,} numbers")
    yield name.decode("latin1"), array.reshape(shape, order="F")
