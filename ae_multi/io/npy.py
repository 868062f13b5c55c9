"""Reader of untrusted .npy files: arrays of numbers, booleans or text."""

import io
import math
from typing import IO

import numpy as np

from ae_multi.errors import InputError

NUMBERS, TEXT = "biufc", "U"  # kinds of NumPy dtypes
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LAST_CHARACTER, _SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)
_CHUNK_BYTES = 1 << 24
_MAGIC_BYTES, _MAX_HEADER_BYTES = 8, 10_000  # magic and version; the limit of NumPy's own reader


def parse(content: bytes, what: str, kinds: str = NUMBERS + TEXT) -> np.ndarray:
    """Return the array in the bytes of an .npy file; see `read`."""
    return read(io.BytesIO(content), len(content), what, kinds)


def read(file: IO[bytes], size: int, what: str, kinds: str = NUMBERS + TEXT) -> np.ndarray:
    """Read the array in an open .npy file. Nothing is unpickled.

    Args:
        file: binary file, at its beginning.
        size: size of the file in bytes.
        what: name of the array, for error messages ("x_train in mnist.npz").
        kinds: allowed kinds of NumPy dtypes.

    Returns:
        A writable array in native byte order.

    Raises:
        InputError: the file is not an .npy file, its dtype is not allowed, its shape does not
            match the number of bytes, or it holds values that are invalid for the dtype.
    """
    shape, fortran, dtype = read_header(file, what, kinds)
    required, available = math.prod(shape) * dtype.itemsize, size - file.tell()
    if required != available:
        raise InputError(
            f"Expected {required:,} bytes after the header of {what}, an array of shape {shape} "
            f"and type {dtype}. Received: {available:,}."
        )
    try:
        array = np.empty(shape, dtype, order="F" if fortran else "C")
        flat = array.reshape(-1, order="A").view(np.uint8) if required else np.empty(0, np.uint8)
    except (ValueError, TypeError, MemoryError) as error:
        raise _invalid(what, f"an array of shape {shape} and type {dtype} ({error})") from error
    _fill(file, flat, what)
    _check_values(array, flat, what)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_header(
    file: IO[bytes], what: str, kinds: str = NUMBERS + TEXT
) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Read the header of an open .npy file and leave the file at the first value.

    Returns:
        (shape, whether the array is in Fortran order, dtype).

    Raises:
        InputError: the header is invalid, or its dtype is not allowed.
    """
    header = io.BytesIO(_header(file, what))
    try:
        shape, fortran, dtype = _READERS[np.lib.format.read_magic(header)](header)
    except Exception as error:  # also errors of Python's parser, which NumPy uses
        raise _invalid(what, f"another header ({type(error).__name__}: {error!s:.80})") from error
    if dtype.hasobject:
        raise _invalid(what, "pickled Python objects, which could run code and are never loaded")
    if dtype.kind not in kinds or dtype.subdtype or dtype.itemsize == 0:
        raise _invalid(what, f"the type {dtype}")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise _invalid(what, f"the shape {shape}")
    return shape, fortran, dtype


def _header(file: IO[bytes], what: str) -> bytes:
    """Return the bytes of the header; NumPy's own reader would follow a damaged length field."""
    begin = file.read(_MAGIC_BYTES)
    if not begin.startswith(np.lib.format.MAGIC_PREFIX):
        raise _invalid(what, f"bytes that begin with {begin.hex(' ') or 'nothing'}")
    length_bytes = 2 if begin[-2:-1] == b"\1" else 4  # depends on the version of the format
    length = file.read(length_bytes)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER_BYTES:
        raise _invalid(what, f"a header of {size:,} bytes")
    return begin + length + file.read(size)


def _fill(file, flat, what):
    """Fill ``flat`` from the file in chunks, and check that the file ends there."""
    for begin in range(0, len(flat), _CHUNK_BYTES):
        chunk = flat[begin : begin + _CHUNK_BYTES]
        content = file.read(len(chunk))
        if len(content) != len(chunk):
            raise _invalid(what, "fewer bytes than it states")
        chunk[:] = np.frombuffer(content, np.uint8)
    if file.read(1):
        raise _invalid(what, "more bytes than it states")


def _check_values(array, flat, what):
    """Raise `InputError` for invalid booleans and invalid Unicode code points."""
    if array.dtype.kind == "b" and flat.size and flat.max() > 1:
        raise _invalid(what, "booleans that are neither true nor false")
    if array.dtype.kind == TEXT and flat.size:
        codes = flat.view(array.dtype.byteorder.replace("|", "=") + "u4")
        low, high = _SURROGATES
        if codes.max() > _LAST_CHARACTER or ((low <= codes) & (codes <= high)).any():
            raise _invalid(what, "text with invalid characters")


def _invalid(what, reason):
    return InputError(f"Expected {what} to be an array in NumPy's format. Received: {reason}.")
