"""Reader of untrusted zip archives, which checks all entries before it reads any."""

import contextlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file

# Limits of the unpacked size: the number of bytes that is always allowed, and above it the largest
# compression ratio. Deflate can reach 1,032.
_MIN_UNPACKED_BYTES, _MAX_RATIO = 1 << 26, 100
_PACKINGS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
_MAX_ENTRIES = 100_000
_ENCRYPTED = 1
_LOCAL_HEADER = 30  # bytes before the name
# Errors that `zipfile` raises for damaged archives.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, ValueError, struct.error, NotImplementedError,
    RuntimeError, OverflowError, LookupError,
)  # fmt: skip


def max_unpacked_bytes(packed_bytes: int) -> int:
    """Return the number of bytes that may be unpacked from ``packed_bytes`` bytes."""
    return max(_MIN_UNPACKED_BYTES, _MAX_RATIO * packed_bytes)


class Archive:
    """The entries of an open archive, all of which have passed the checks of `opened`.

    Attributes:
        names: names of the entries, in order.
    """

    def __init__(self, archive: zipfile.ZipFile, where: str) -> None:
        self._archive, self._where = archive, where
        self.names = archive.namelist()

    def size(self, name: str) -> int:
        """Return the unpacked size of an entry in bytes."""
        return self._archive.getinfo(name).file_size

    def read(self, name: str) -> bytes:
        """Return all bytes of an entry, or raise `InputError` unless it has the stated size."""
        with self.open(name) as file:
            return _read_all(file, self.size(name), f"{name} in {self._where}")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Context manager that yields an entry as a file, for reading in chunks.

        Raises:
            InputError: there is no such entry, or it is damaged. Reading within the block may
                raise it, too.
        """
        if name not in self.names:
            raise InputError(f"Expected {self._where} to hold {name}. Received: it does not.")
        with _wrap_damage(self._where), self._archive.open(name) as file:
            yield file


@contextlib.contextmanager
def opened(
    path: os.PathLike[str] | str | IO[bytes], what: str, stored: bool = False
) -> Iterator[Archive]:
    """Context manager that yields the `Archive` in the file ``path``.

    Args:
        path: path of the file, or an open binary file.
        what: content of the file, for error messages ("the file of an estimator").
        stored: whether compressed entries are refused.

    Raises:
        InputError: the file is not a zip archive, or an entry has a path outside the target
            folder, has the name of another entry, is a link, is encrypted, uses another
            compression method, overlaps with another entry, or unpacks to far more bytes than
            the file holds.
    """
    where = what
    if isinstance(path, str | os.PathLike):
        check_file(path, what)
        where = f"{what} {path}"
    with contextlib.ExitStack() as stack:
        with _wrap_damage(where):
            archive = stack.enter_context(zipfile.ZipFile(path))
            _check(archive, where, stored)
        yield Archive(archive, where)


@contextlib.contextmanager
def _wrap_damage(where: str) -> Iterator[None]:
    """Convert errors of reading a damaged archive to `InputError`."""
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
            f"Expected {where} to be a complete zip archive. Received: one that is damaged or cut "
            f"short ({error})."
        ) from error


def _check(archive: zipfile.ZipFile, where: str, stored: bool) -> None:
    """Raise `InputError` unless all entries of an archive are allowed."""
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
    # Entries must not overlap, since then few bytes could unpack to many.
    entries = sorted(entries, key=lambda entry: entry.header_offset)
    ends = [entry.header_offset for entry in entries] + [archive.start_dir]
    for entry, end in zip(entries, ends[1:], strict=True):
        begin = entry.header_offset + _LOCAL_HEADER + len(entry.orig_filename.encode())
        if entry.header_offset < 0 or begin + entry.compress_size > end:
            raise _refused(where, f"{entry.filename[:80]!r}, which overlaps with what follows")
    unpacked, packed = sum(entry.file_size for entry in entries), archive.start_dir
    if unpacked > max_unpacked_bytes(packed):
        raise _refused(where, f"{packed:,} bytes that would unpack to {unpacked:,}")


def _reason(entry: zipfile.ZipInfo, stored: bool) -> str | None:
    """Return the reason why an entry is not allowed, or None."""
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
        return "is compressed by an unsupported method"
    if stored and entry.compress_type:
        return "is compressed"
    if not entry.compress_type and entry.file_size != entry.compress_size:
        return "has another size than it states"
    return None


def _refused(where, reason):
    return InputError(f"Expected {where} to be a plain zip archive. Received: {reason}.")


def _read_all(file: IO[bytes], size: int, what: str) -> bytes:
    content = file.read(size)
    if len(content) != size or file.read(1):
        raise InputError(
            f"Expected {size:,} bytes of {what}, the size that it states. "
            f"Received: {'fewer' if len(content) < size else 'more'}."
        )
    return content
