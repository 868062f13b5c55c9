"""Careful readers: what is written is read, and whatever else comes is an `InputError`."""

import io
import json
import math
import stat
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ae_multi.errors import InputError
from ae_multi.safe import json as safe_json
from ae_multi.safe import npy, npz, zips

STEADY = settings(
    deadline=None, derandomize=True, max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
TEXT = st.text(st.characters(codec="utf-8"))
FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)
NUMBERS = st.sampled_from(["?", "u1", "<i8", ">i4", "<f4", ">f8", "<f2", "c8"])
# NumPy's text has no zeros at its end.
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
HELD = arrays.arrays(NUMBERS, SHAPES) | arrays.arrays("<U3", SHAPES, elements=WORDS)


def outcome(read, *arguments):
    """What ``read`` returns, or None where it refuses; any other error is the test's failure."""
    try:
        return read(*arguments)
    except InputError:
        return None


def damaged(draw, content):
    """``content`` with a few bytes changed, cut, repeated or put in."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        kind = draw(st.sampled_from(["change", "cut", "put in", "leave out"]))
        if kind == "change" and content:
            content[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del content[place:]
        elif kind == "put in":
            content[place:place] = draw(st.binary(max_size=8))
        else:
            del content[place : place + draw(st.integers(1, 8))]
    return bytes(content)


# JSON


@STEADY
@given(PLAIN)
def test_plain_values_come_back(value):
    assert safe_json.parse(json.dumps(value), "it") == value
    assert safe_json.parse(json.dumps(value, ensure_ascii=False).encode(), "it") == value


@STEADY
@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    outcome(safe_json.parse, text, "it")


@STEADY
@given(st.data(), PLAIN)
def test_damaged_json_is_read_or_refused(data, value):
    outcome(safe_json.parse, damaged(data.draw, json.dumps(value).encode()), "it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "the key 'a' twice"),
        ("[NaN]", "NaN, which is no finite"),
        ("[-Infinity]", "no finite number"),
        ("1e999", "1e999, which is no finite"),
        ("9" * 5000, "an integer of 5,000 digits"),
        ("[" * 101 + "]" * 101, "more than 100 levels"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (r'"\ud800"', "surrogates not allowed"),
        (r'{"\ud800": 1}', "surrogates not allowed"),
        (b"\xff", "decode byte 0xff"),
        (" " * (safe_json.MOST_BYTES + 1), "at most 16,777,216 bytes of JSON"),
    ],
    ids=["twice", "nan", "infinity", "overflow", "digits", "deep", "deeper", "open", "half",
         "half key", "bytes", "long"],
)  # fmt: skip
def test_strange_json_is_refused(text, message):
    with pytest.raises(InputError, match=message):
        safe_json.parse(text, "it")


def test_json_of_any_kind_of_number_is_plain():
    found = safe_json.parse("[1, -2.5, 1e3, true, null]", "it")
    assert list(map(type, found)) == [int, float, float, bool, type(None)]


def test_a_file_of_json_is_read_no_further_than_it_may_be_long(tmp_path):
    (tmp_path / "one.json").write_text('{"a": [1]}')
    assert safe_json.read(tmp_path / "one.json", "the settings") == {"a": [1]}
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room on the disk
    tracemalloc.start()
    with pytest.raises(InputError, match="at most"):
        safe_json.read(tmp_path / "huge.json", "the settings")
    assert tracemalloc.get_traced_memory()[1] < 1 << 26
    tracemalloc.stop()
    with pytest.raises(InputError, match="which is no file"):
        safe_json.read(tmp_path, "the settings")


# NumPy's format


def as_npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


@STEADY
@given(HELD, st.booleans())
def test_arrays_come_back(array, fortran):
    array = np.asfortranarray(array) if fortran else array
    found = npy.parse(as_npy(array), "it")
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.shape == array.shape
    assert found.tobytes() == array.astype(found.dtype).tobytes()
    assert found.flags.writeable


@STEADY
@given(st.data(), HELD)
def test_damaged_arrays_are_read_or_refused(data, array):
    content = damaged(data.draw, as_npy(array))
    found = outcome(npy.parse, content, "it")
    if found is not None:  # then it is what the bytes say, and can be used
        np.testing.assert_array_equal(found, np.load(io.BytesIO(content)))
        repr(found)


def header(text, version=1):
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text.encode()


def stated(shape="(3,)", descr="'<f4'", fortran="False"):
    return f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}}}"


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a file has run code",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begin with nothing"),
        (b"PK\x03\x04 and more", "begin with 50 4b 03 04"),
        (header(stated("(1000000000000,)")), r"Expected 4,000,000,000,000 bytes .* Received: 0"),
        (header(stated("(1,)", "'<U1000000000'")), "not a valid dtype"),
        (header(stated("(1,)", "'<U100000000'")), "Expected 400,000,000 bytes"),
        (header(stated("(-3,)")) + b"\0" * 12, "the shape"),
        (header(stated("(True, 3)")) + b"\0" * 12, "the shape"),
        (header(stated("(0, 99999999999999999999)")), "99999999999999999999"),
        (header(stated(str((1,) * 70))) + b"\0" * 4, "type float32"),
        (header(stated()) + b"\0" * 13, "Expected 12 bytes .* Received: 13"),
        (header(stated(descr="'|O'")) + b"\x80\x04.", "pickled Python objects"),
        (header(stated(descr="[('a', '<f4')]")) + b"\0" * 12, "the type"),
        (header(stated(descr="'<M8[s]'")) + b"\0" * 24, "the type datetime64"),
        (header(stated(descr="'|V4'")) + b"\0" * 12, "the type"),
        (header(stated(descr="'|S4'")) + b"\0" * 12, "the type"),
        (header(stated(descr="('<f4', (3,))")) + b"\0" * 36, "Received"),
        (header("__import__('os').system('false')"), "malformed node"),
        (header("-" * 9000 + "1"), "Received"),
        (header("(" * 9000), "Received"),
        (header(stated(), version=3), "another header"),
        (header(stated("(2,)", "'|b1'")) + b"\1\2", "neither true nor false"),
        (header(stated("(1,)", "'<U1'")) + b"\0\0\x11\0", "no characters"),
        (header(stated("(1,)", "'>U1'")) + b"\0\0\xd8\0", "no characters"),
    ],
    ids=["empty", "zip", "terabytes", "longest text", "long text", "negative", "boolean", "beyond",
         "axes", "more", "pickle", "fields", "dates", "void", "bytes", "nested", "code", "deep",
         "open", "version", "booleans", "characters", "half"],
)  # fmt: skip
def test_strange_arrays_are_refused(content, message):
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


# Zip archives


def archive(path, entries, packing=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


@STEADY
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.binary()),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_entries_come_back(tmp_path, entries, packing):
    path = archive(tmp_path / "one.zip", entries, packing)
    with zips.opened(path, "it") as found:
        assert {name: found.read(name) for name in found.names} == entries
        assert all(found.size(name) == len(content) for name, content in entries.items())


@STEADY
@given(st.data())
def test_damaged_archives_are_read_or_refused(tmp_path, data):
    packing = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    path = archive(tmp_path / "one.zip", {"a": b"some text" * 9, "b/c": b"x", "d": b""}, packing)
    path.write_bytes(damaged(data.draw, path.read_bytes()))

    def read():
        with zips.opened(path, "it") as found:
            return {name: found.read(name) for name in found.names}

    # A checksum stands for every byte that an entry has.
    assert set((outcome(read) or {}).values()) <= {b"some text" * 9, b"x", b""}


def described(name, **attributes):
    """An entry that says of itself what ``attributes`` say."""
    entry = zipfile.ZipInfo(name)
    for attribute, value in attributes.items():
        setattr(entry, attribute, value)
    return entry


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("../x", {}, "leaves the folder"),
        ("a/../../x", {}, "leaves the folder"),
        ("/etc/passwd", {}, "leaves the folder"),
        ("a//b", {}, "leaves the folder"),
        ("./a", {}, "leaves the folder"),
        ("C:x", {}, "leaves the folder"),
        (r"..\x", {}, "leaves the folder"),
        ("a", {"external_attr": (stat.S_IFLNK | 0o777) << 16}, "is a link or a device"),
        ("a", {"external_attr": (stat.S_IFCHR | 0o777) << 16}, "is a link or a device"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path, name, attributes, message):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as file:
        file.writestr(described(name, **attributes), b"content")
    with (
        pytest.raises(InputError, match=message),
        zips.opened(tmp_path / "one.zip", "it"),
    ):
        pass


def test_what_is_packed_strangely_is_refused(tmp_path):
    path = archive(tmp_path / "lzma.zip", {"a": b"a"}, zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match="packed in a way"), zips.opened(path, "it"):
        pass
    path = archive(tmp_path / "deflated.zip", {"a": b"a" * 99}, zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="is compressed"), zips.opened(path, "it", stored=True):
        pass
    path = archive(tmp_path / "locked.zip", {"a": b"a"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is encrypted"), zips.opened(path, "it"):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_comes_twice_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as file:
        file.writestr("a", b"first")
        file.writestr("a", b"second")
    with pytest.raises(InputError, match="'a' twice"), zips.opened(tmp_path / "one.zip", "it"):
        pass


def test_entries_that_share_bytes_are_refused(tmp_path):
    """Two entries of the directory that point at the same bytes, as in Fifield's bombs (2019)."""
    path = archive(tmp_path / "one.zip", {"a": b"x" * 50, "b": b"y" * 50})
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    with pytest.raises(InputError, match="overlap"), zips.opened(path, "it"):
        pass


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a", "w") as entry,
    ):
        for _ in range(100):
            entry.write(bytes(1 << 20))
    tracemalloc.start()
    with (
        pytest.raises(InputError, match="that would unpack to 104,857,600"),
        zips.opened(tmp_path / "one.zip", "it"),
    ):
        pass
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_a_size_that_lies_is_refused(tmp_path):
    """10 GB are stated for a hundred bytes, or ten where there are more."""
    whole = archive(tmp_path / "one.zip", {"a": b"x" * 100}).read_bytes()
    for size, packed, message in [
        (10 * 2**30 - 2**33, 100, "another size"),
        (2**32 - 2, 2**32 - 2, "overlaps"),
        (10, 10, "damaged"),
    ]:
        content = bytearray(whole)
        place = content.index(b"PK\1\2")
        content[place + 20 : place + 28] = struct.pack("<II", packed, size)
        (tmp_path / "one.zip").write_bytes(content)
        with (
            pytest.raises(InputError, match=message),
            zips.opened(tmp_path / "one.zip", "it") as found,
        ):
            found.read("a")


def test_a_folder_is_no_archive(tmp_path):
    with pytest.raises(InputError, match="which is no file"), zips.opened(tmp_path, "it"):
        pass


@STEADY
@given(st.dictionaries(st.from_regex("[a-z]{1,3}", fullmatch=True), HELD), st.booleans())
def test_arrays_of_an_npz_come_back(tmp_path, held, packed):
    (np.savez_compressed if packed else np.savez)(tmp_path / "one.npz", **held)
    with npz.opened(tmp_path / "one.npz") as found:
        assert found.names == list(held)
        back = found.all()
    assert all(
        back[name].astype(array.dtype).tobytes() == array.tobytes() for name, array in held.items()
    )
    assert all(math.prod(back[name].shape) == array.size for name, array in held.items())
