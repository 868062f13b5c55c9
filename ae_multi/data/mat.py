"""Reader of MATLAB files with a table, in the form of the ODDS library: rows X and labels y.

SciPy's reader is not used because some damaged files crash the process in it. This reader supports
arrays of real numbers in the format of version 5 (MathWorks, "MAT-File Format"): a header of 128
bytes, then elements. An element has a type, a number of bytes and its content; the content of a
matrix is a sequence of elements.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

import numpy as np

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file
from ae_multi.io.zip_archive import max_unpacked_bytes

_HEADER, _VERSION = 128, 0x0100
_MATRIX, _PACKED = 14, 15  # types of elements
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_CLASSES, _COMPLEX = range(6, 16), 0x0800  # classes of numeric matrices, and the flag of complex


def read_mat(path: PathLike[str] | str) -> tuple[np.ndarray, np.ndarray]:
    """Read rows of numbers and the labels of the outliers.

    Args:
        path: the file.

    Returns:
        X, float64 (n, features), and y, int64 (n,), 1 for outliers and 0 for others.

    Raises:
        InputError: not a MATLAB file of version 5 with finite real numbers X and y.
    """
    check_file(path, "the table")
    content = Path(path).read_bytes()
    try:
        matrices = dict(_matrices(content, max_unpacked_bytes(len(content))))
        rows, labels = matrices["X"].astype(float), matrices["y"].ravel().astype(float)
        if rows.ndim != 2 or not rows.size or labels.shape != rows.shape[:1]:
            raise ValueError(f"X of shape {rows.shape} and y of shape {matrices['y'].shape}")
        if not (np.isfinite(rows).all() and np.isin(labels, (0, 1)).all()):
            raise ValueError("X that is not finite, or y that is neither 0 nor 1")
    except (ValueError, KeyError, struct.error, zlib.error, OverflowError) as error:
        raise InputError(
            f"Expected a MATLAB file of version 5 with finite numbers X and labels y. Received: "
            f"{path} ({type(error).__name__}: {error!s:.200})."
        ) from error
    return rows, labels.astype(int)


def _matrices(content: bytes, max_bytes: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) of each matrix of real numbers in a file.

    Args:
        content: the bytes of the file.
        max_bytes: limit on the size of all compressed elements together, uncompressed.
    """
    order = {b"IM": "<", b"MI": ">"}[content[_HEADER - 2 : _HEADER]]
    (version,) = struct.unpack(f"{order}H", content[_HEADER - 4 : _HEADER - 2])
    if version != _VERSION:
        raise ValueError(f"version {version:#x}")
    for kind, element in _elements(content[_HEADER:], order):
        if kind == _PACKED:
            element = zlib.decompressobj().decompress(element, max_bytes)
            max_bytes -= len(element)
            if max_bytes <= 0:
                raise ValueError("far more than the file holds")
            ((kind, element),) = _elements(element, order)
        if kind == _MATRIX:
            yield from _matrix(element, order)


def _elements(content: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    """Yield (type, content) of each element.

    Args:
        content: a sequence of elements. Up to four bytes of content may be inside an element's tag.
        order: byte order, "<" or ">".
    """
    position = 0
    while position < len(content):
        kind, size = struct.unpack(f"{order}II", content[position : position + 8])
        begin, step = position + 8, 8 + size + (-size % 8 if kind != _PACKED else 0)
        if kind >> 16:
            kind, size, begin, step = kind & 0xFFFF, kind >> 16, position + 4, 8
        element = content[begin : begin + size]
        if len(element) != size or (begin == position + 4 and size > 4):
            raise ValueError(f"an element of {size:,} bytes with {len(element):,} bytes of content")
        yield kind, element
        position += step


def _matrix(content: bytes, order: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield (name, array) if the elements are a matrix of real numbers, otherwise nothing."""
    elements = list(_elements(content, order))
    if len(elements) < 4:
        return
    (_, header), (_, sizes), (_, name), (kind, numbers) = elements[:4]
    (flags,) = struct.unpack(f"{order}I", header[:4])
    if flags & 0xFF not in _CLASSES or flags & _COMPLEX or kind not in _NUMBERS:
        return
    array = np.frombuffer(numbers, order + _NUMBERS[kind])
    shape = struct.unpack(f"{order}{len(sizes) // 4}i", sizes)
    if min(shape, default=-1) < 0 or math.prod(shape) != array.size:
        raise ValueError(f"a shape of {shape} for {array.size:,} numbers")
    yield name.decode("latin1"), array.reshape(shape, order="F")
