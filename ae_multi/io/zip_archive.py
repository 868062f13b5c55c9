"""Zip archives from outside: what they say of their entries is checked before any is read."""

import contextlib
import os
import stat
import struct
import zipfile
import zlib

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file

# From however few bytes; and beyond that so many times as many. Deflate can do 1,032.
_MIN_UNPACKED_BYTES, _MAX_RATIO = 1 << 26, 100
_PACKINGS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_MAX_ENTRIES = 100_000
_ENCRYPTED = 1
_LOCAL_HEADER = 30  # bytes before the name
# What `zipfile` raises over bytes that are no sound archive.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, NotImplementedError,
    RuntimeError, OverflowError, LookupError,
)  # fmt: skip


def max_unpacked_bytes(held):
    """How many bytes may be unpacked from ``held`` bytes."""
    return max(_MIN_UNPACKED_BYTES, _MAX_RATIO * held)


class Archive:
    """The entries of an open archive, all of which have passed the checks of `opened`.

    Attributes:
        names: the entries' names, in order.
    """

    def __init__(self, archive, where):
        self._archive, self._where = archive, where
        self.names = archive.namelist()

    def size(self, name):
        """How many bytes the entry has, unpacked."""
        return self._archive.getinfo(name).file_size

    def read(self, name):
        """All bytes of an entry, exactly as many as were stated, or an `InputError`."""
        with self.open(name) as file:
            return _all(file, self.size(name), f"{name} in {self._where}")

    @contextlib.contextmanager
    def open(self, name):
        """The entry as a file, to be read a piece at a time.

        Raises:
            InputError: no such entry, or a damaged one; within the block, too.
        """
        if name not in self.names:
            raise InputError(f"Expected {self._where} to hold {name}. Received: it does not.")
        with _whole(self._where), self._archive.open(name) as file:
            yield file


@contextlib.contextmanager
def opened(path, what, stored=False):
    """The `Archive` in the file ``path``, open as long as the block.

    Args:
        path: the file, or an open binary one.
        what: what it is, for messages ("the file of an estimator").
        stored: whether nothing in it may be compressed.

    Raises:
        InputError: no zip archive, or one with an entry that leaves the folder that it would be
            unpacked to, comes twice, is a link, encrypted, packed in another way, overlaps with
            another, or unpacks to far more than the file holds.
    """
    where = what
    if isinstance(path, str | os.PathLike):
        check_file(path, what)
        where = f"{what} {path}"
    with contextlib.ExitStack() as stack:
        with _whole(where):
            archive = stack.enter_context(zipfile.ZipFile(path))
            _check(archive, where, stored)
        yield Archive(archive, where)


@contextlib.contextmanager
def _whole(where):
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {where}. Received: {error.strerror or error}."
        ) from error
    except _DAMAGE as error:
        raise InputError(
            f"Expected {where} to be a whole zip archive. Received: one that is damaged or cut "
            f"short ({error})."
        ) from error


def _check(archive, where, stored):
    entries = archive.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise _refused(where, f"{len(entries):,} entries")
    names = set()
    for entry in entries:
        name = entry.filename
        if name in names:
            raise _refused(where, f"{name!r} twice")
        names.add(name)
        reason = _reason(entry, stored)
        if reason:
            raise _refused(where, f"{name[:80]!r}, which {reason}")
    # Every byte belongs to one entry: what overlaps would let few bytes stand for many.
    entries = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in entries] + [archive.start_dir]
    for entry, end in zip(entries, ends[1:], strict=True):
        begin = entry.header_offset + _LOCAL_HEADER + len(entry.orig_filename.encode())
        if entry.header_offset < 0 or begin + entry.compress_size > end:
            raise _refused(where, f"{entry.filename[:80]!r}, which overlaps with what follows")
    unpacked, held = sum(entry.file_size for entry in entries), archive.start_dir
    if unpacked > max_unpacked_bytes(held):
        raise _refused(where, f"{held:,} bytes that would unpack to {unpacked:,}")


def _reason(entry, stored):
    """What is wrong with an entry, or None."""
    path = entry.orig_filename
    parts = path.removesuffix("/").split("/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if "\\" in path or "\0" in path or ":" in path or {"", ".", ".."} & set(parts):
        return "leaves the folder that it would be unpacked to"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.compress_type not in _PACKINGS:
        return "is packed in a way that is not read"
    if stored and entry.compress_type:
        return "is compressed"
    if not entry.compress_type and entry.file_size != entry.compress_size:
        return "has another size than it says"
    return None


def _refused(where, reason):
    return InputError(f"Expected {where} to be a plain zip archive. Received: {reason}.")


def _all(file, size, what):
    content = file.read(size)
    if len(content) != size or file.read(1):
        raise InputError(
            f"Expected {size:,} bytes of {what}, as it says. "
            f"Received: {'fewer' if len(content) < size else 'more'}."
        )
    return content
