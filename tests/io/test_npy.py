"""Untrusted NPY and NPZ files are read or refused with an `InputError`."""

import io
import math
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ae_multi.errors import InputError
from ae_multi.io import npy, npz
from tests.reference.damage import STEADY, damaged, outcome

SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
NUMBERS = st.sampled_from(["?", "u1", "<i8", ">i4", "<f4", ">f8", "<f2", "c8"])
# Text in NumPy has no trailing zeros.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
ARRAYS = arrays.arrays(NUMBERS, SHAPES) | arrays.arrays("<U3", SHAPES, elements=WORDS)


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


@STEADY
@given(ARRAYS, st.booleans())
def test_arrays_round_trip(array, fortran):
    array = np.asfortranarray(array) if fortran else array
    found = npy.parse(as_npy(array), "it")
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.shape == array.shape
    assert found.tobytes() == array.astype(found.dtype).tobytes()
    assert found.flags.writeable


@STEADY
@given(st.data(), ARRAYS)
def test_damaged_arrays_are_read_or_refused(data, array):
    content = damaged(data.draw, as_npy(array))
    found = outcome(npy.parse, content, "it")
    if found is not None:  # then it equals what NumPy reads, and is usable
        np.testing.assert_array_equal(found, np.load(io.BytesIO(content)))
        repr(found)


def header(text, version=1):
    """Return the bytes of an NPY file up to the numbers, for the text of the header."""
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def fields(shape="(3,)", descr="'<f4'", fortran="False"):
    """Return the text of a header with these fields."""
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a file has executed code",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begin with nothing"),
        (b"PK\x03\x04 and more", "begin with 50 4b 03 04"),
        (header(fields("(1000000000000,)")), r"Expected 4,000,000,000,000 bytes .* Received: 0"),
        (header(fields("(1,)", "'<U1000000000'")), "not a valid dtype"),
        (header(fields("(1,)", "'<U100000000'")), "Expected 400,000,000 bytes"),
        (header(fields("(-3,)")) + b"\0" * 12, "the shape"),
        (header(fields("(True, 3)")) + b"\0" * 12, "the shape"),
        (header(fields("(0, 99999999999999999999)")), "99999999999999999999"),
        (header(fields(str((1,) * 70))) + b"\0" * 4, "type float32"),
        (header(fields()) + b"\0" * 13, "Expected 12 bytes .* Received: 13"),
        (header(fields(descr="'|O'")) + b"\x80\x04.", "pickled Python objects"),
        (header(fields(descr="[('a', '<f4')]")) + b"\0" * 12, "the type"),
        (header(fields(descr="'<M8[s]'")) + b"\0" * 24, "the type datetime64"),
        (header(fields(descr="'|V4'")) + b"\0" * 12, "the type"),
        (header(fields(descr="'|S4'")) + b"\0" * 12, "the type"),
        (header(fields(descr="('<f4', (3,))")) + b"\0" * 36, "Received"),
        (header("__import__('os').system('false')"), "malformed node"),
        (header("-" * 9000 + "1"), "Received"),
        (header("(" * 9000), "Received"),
        (header(fields(), version=3), "another header"),
        (header(fields("(2,)", "'|b1'")) + b"\1\2", "neither true nor false"),
        (header(fields("(1,)", "'<U1'")) + b"\0\0\x11\0", "invalid characters"),
        (header(fields("(1,)", "'>U1'")) + b"\0\0\xd8\0", "invalid characters"),
    ],
    ids=["empty", "zip", "terabytes", "longest text", "long text", "negative", "boolean", "beyond",
         "axes", "more", "pickle", "fields", "dates", "void", "bytes", "nested", "code", "deep",
         "open", "version", "booleans", "characters", "half"],
)  # fmt: skip
def test_malformed_arrays_are_refused(content, message):
    tracemalloc.start()
    with pytest.raises(InputError, match=message):
        npy.parse(content, "it")
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_pickled_objects_are_refused():
    file = io.BytesIO()
    np.save(file, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="could run code and are never loaded"):
        npy.parse(file.getvalue(), "it")


@STEADY
@given(st.dictionaries(st.from_regex("[a-z]{1,3}", fullmatch=True), ARRAYS), st.booleans())
def test_npz_round_trips(tmp_path, saved, packed):
    (np.savez_compressed if packed else np.savez)(tmp_path / "one.npz", **saved)
    with npz.opened(tmp_path / "one.npz") as found:
        assert found.names == list(saved)
        read = found.all()
    assert all(
        read[name].astype(array.dtype).tobytes() == array.tobytes() for name, array in saved.items()
    )
    assert all(math.prod(read[name].shape) == array.size for name, array in saved.items())
