"""Untrusted zip archives are read or refused with an `InputError`."""

import stat
import struct
import tracemalloc
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ae_multi.errors import InputError
from ae_multi.io import zip_archive
from tests.reference.damage import STEADY, damaged, outcome


def write_archive(path, entries, packing=zipfile.ZIP_STORED):
    """Write a zip archive of entries, bytes by name; return its path."""
    with zipfile.ZipFile(path, "w", packing) as file:
        for name, content in entries.items():
            file.writestr(name, content)
    return path


@STEADY
@given(
    st.dictionaries(st.from_regex(r"[a-z]{1,5}(/[a-z]{1,5})?", fullmatch=True), st.binary()),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
)
def test_entries_round_trip(tmp_path, entries, packing):
    path = write_archive(tmp_path / "one.zip", entries, packing)
    with zip_archive.opened(path, "it") as found:
        assert {name: found.read(name) for name in found.names} == entries
        assert all(found.size(name) == len(content) for name, content in entries.items())


@STEADY
@given(st.data())
def test_damaged_archives_are_read_or_refused(tmp_path, data):
    packing = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    entries = {"a": b"some text" * 9, "b/c": b"x", "d": b""}
    path = write_archive(tmp_path / "one.zip", entries, packing)
    path.write_bytes(damaged(data.draw, path.read_bytes()))

    def read():
        with zip_archive.opened(path, "it") as found:
            return {name: found.read(name) for name in found.names}

    # Each entry has a checksum, so that its content cannot change.
    assert set((outcome(read) or {}).values()) <= {b"some text" * 9, b"x", b""}


def zip_entry(name, **attributes):
    """Return an entry of a zip archive with these attributes."""
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
def test_paths_outside_the_archive_are_refused(tmp_path, name, attributes, message):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as file:
        file.writestr(zip_entry(name, **attributes), b"content")
    with (
        pytest.raises(InputError, match=message),
        zip_archive.opened(tmp_path / "one.zip", "it"),
    ):
        pass


def test_unsupported_compression_and_encryption_are_refused(tmp_path):
    path = write_archive(tmp_path / "lzma.zip", {"a": b"a"}, zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match="an unsupported method"), zip_archive.opened(path, "it"):
        pass
    path = write_archive(tmp_path / "deflated.zip", {"a": b"a" * 99}, zipfile.ZIP_DEFLATED)
    with (
        pytest.raises(InputError, match="is compressed"),
        zip_archive.opened(path, "it", stored=True),
    ):
        pass
    path = write_archive(tmp_path / "locked.zip", {"a": b"a"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is encrypted"), zip_archive.opened(path, "it"):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_duplicate_entries_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "one.zip", "w") as file:
        file.writestr("a", b"first")
        file.writestr("a", b"second")
    with (
        pytest.raises(InputError, match="'a' twice"),
        zip_archive.opened(tmp_path / "one.zip", "it"),
    ):
        pass


def test_overlapping_entries_are_refused(tmp_path):
    """Two entries of the directory refer to the same bytes, as in zip bombs of Fifield (2019)."""
    path = write_archive(tmp_path / "one.zip", {"a": b"x" * 50, "b": b"y" * 50})
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]
    path.write_bytes(content)
    with pytest.raises(InputError, match="overlap"), zip_archive.opened(path, "it"):
        pass


def test_decompression_bomb_is_refused_without_allocation(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("a", "w") as entry,
    ):
        for _ in range(100):
            entry.write(bytes(1 << 20))
    tracemalloc.start()
    with (
        pytest.raises(InputError, match="that would unpack to 104,857,600"),
        zip_archive.opened(tmp_path / "one.zip", "it"),
    ):
        pass
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_false_sizes_are_refused(tmp_path):
    """The declared sizes of an entry of 100 bytes are larger or smaller."""
    complete = write_archive(tmp_path / "one.zip", {"a": b"x" * 100}).read_bytes()
    for size, packed, message in [
        (10 * 2**30 - 2**33, 100, "another size"),
        (2**32 - 2, 2**32 - 2, "overlaps"),
        (10, 10, "damaged"),
    ]:
        content = bytearray(complete)
        offset = content.index(b"PK\1\2")
        content[offset + 20 : offset + 28] = struct.pack("<II", packed, size)
        (tmp_path / "one.zip").write_bytes(content)
        with (
            pytest.raises(InputError, match=message),
            zip_archive.opened(tmp_path / "one.zip", "it") as found,
        ):
            found.read("a")


def test_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="which is not a file"), zip_archive.opened(tmp_path, "it"):
        pass
