"""NumPy arrays from outside: numbers, booleans or text, as many as there are bytes for."""

import io
import math

import numpy as np

from ae_multi.errors import InputError

NUMBERS, TEXT = "biufc", "U"
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_LAST_CHARACTER, _SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)
_CHUNK_BYTES = 1 << 24
_BEGIN, _MAX_HEADER_BYTES = 8, 10_000  # bytes of magic and version; what NumPy's own reader takes


def parse(content, what, kinds=NUMBERS + TEXT):
    """The array behind the bytes of an .npy file, see `read`."""
    return read(io.BytesIO(content), len(content), what, kinds)


def read(file, size, what, kinds=NUMBERS + TEXT):
    """The array in an open .npy file; nothing is ever unpickled.

    Args:
        file: binary file, at its beginning.
        size: how many bytes it has.
        what: what it is, for the message ("x_train in mnist.npz").
        kinds: which kinds of NumPy's types it may have.

    Returns:
        A writable array, in this machine's order of bytes.

    Raises:
        InputError: no .npy file, objects or another type, a shape for more or fewer bytes than
            there are, or values that the type does not have.
    """
    shape, fortran, dtype = read_header(file, what, kinds)
    required, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if required != held:
        raise InputError(
            f"Expected {required:,} bytes after the header of {what}, an array of shape {shape} "
            f"and type {dtype}. Received: {held:,}."
        )
    try:
        array = np.empty(shape, dtype, order="F" if fortran else "C")
        flat = array.reshape(-1, order="A").view(np.uint8) if required else np.empty(0, np.uint8)
    except (ValueError, TypeError, MemoryError) as error:
        raise _invalid(what, f"an array of shape {shape} and type {dtype} ({error})") from error
    _fill(file, flat, what)
    _check_values(array, flat, what)
    return array.astype(dtype.newbyteorder("="), copy=False)


def read_header(file, what, kinds=NUMBERS + TEXT):
    """(shape, whether in Fortran's order, dtype) of an open .npy file, left behind its header.

    Raises:
        InputError: as `read`, for what the header can tell.
    """
    header = io.BytesIO(_header(file, what))
    try:
        shape, fortran, dtype = _READERS[np.lib.format.read_magic(header)](header)
    except Exception as error:  # NumPy lets through what Python's parser has to say
        raise _invalid(what, f"another header ({type(error).__name__}: {error!s:.80})") from error
    if dtype.hasobject:
        raise _invalid(what, "pickled Python objects, which could run code and are never loaded")
    if dtype.kind not in kinds or dtype.subdtype or dtype.itemsize == 0:
        raise _invalid(what, f"the type {dtype}")
    if any(isinstance(length, bool) or length < 0 for length in shape):
        raise _invalid(what, f"the shape {shape}")
    return shape, fortran, dtype


def _header(file, what):
    """The bytes before the array, read here so that a damaged file is not taken for a header."""
    begin = file.read(_BEGIN)
    if not begin.startswith(np.lib.format.MAGIC_PREFIX):
        raise _invalid(what, f"bytes that begin with {begin.hex(' ') or 'nothing'}")
    counted = 2 if begin[-2:-1] == b"\1" else 4  # bytes for the length, by the format's version
    length = file.read(counted)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER_BYTES:
        raise _invalid(what, f"a header of {size:,} bytes")
    return begin + length + file.read(size)


def _fill(file, flat, what):
    """Read as many bytes as ``flat`` has, a piece at a time, and find that no more follow."""
    for begin in range(0, len(flat), _CHUNK_BYTES):
        part = flat[begin : begin + _CHUNK_BYTES]
        content = file.read(len(part))
        if len(content) != len(part):
            raise _invalid(what, "fewer bytes than it states")
        part[:] = np.frombuffer(content, np.uint8)
    if file.read(1):
        raise _invalid(what, "more bytes than it states")


def _check_values(array, flat, what):
    """Raise `InputError` for bytes that are no booleans, and for numbers that are no characters."""
    if array.dtype.kind == "b" and flat.size and flat.max() > 1:
        raise _invalid(what, "booleans that are neither true nor false")
    if array.dtype.kind == TEXT and flat.size:
        codes = flat.view(array.dtype.byteorder.replace("|", "=") + "u4")
        low, high = _SURROGATES
        if codes.max() > _LAST_CHARACTER or ((low <= codes) & (codes <= high)).any():
            raise _invalid(what, "text of what are no characters")


def _invalid(what, reason):
    return InputError(f"Expected {what} to be an array in NumPy's format. Received: {reason}.")
