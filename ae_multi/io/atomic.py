"""Files that are written whole or not at all, and refused clearly when they are not whole."""

import contextlib
import gzip
import os
import secrets
import zipfile
import zlib
from pathlib import Path

from ae_multi.errors import InputError


def check_writable(path, what):
    """Raise `InputError` unless a file could be written at ``path``; call it before long work.

    Args:
        path: where the file is to go.
        what: what it is, for the message ("the figure", "the model").

    Returns:
        ``path`` as a `pathlib.Path`.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"Expected a file name for {what}. Received: the folder {path}.")
    if not path.parent.is_dir():
        raise InputError(
            f"Expected {what} to go into an existing folder. Received: {path}, "
            f"but {path.parent} is not a folder."
        )
    probe = _beside(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Expected to be able to write {what}. Received: {path}, "
            f"which cannot be written ({error.strerror})."
        ) from error
    return path


def check_file(path, what):
    """Raise `InputError` unless ``path`` is a file: no folder, pipe or device, which may never end.

    Args:
        path: where it should be.
        what: what it is, for the message ("the file of an estimator").
    """
    if not Path(path).is_file():
        raise InputError(f"Expected {what}. Received: {path}, which is no file.")


@contextlib.contextmanager
def atomic_write(path):
    """Give a temporary path beside ``path``; move it into place if the block ends well.

    A reader sees the old file or the new one, never a part of it; after an error or Ctrl-C the
    old one stays and the temporary one is gone. The temporary name keeps ``path``'s suffix,
    since writers choose a format by it.
    """
    path = Path(path)
    temporary = _beside(path)
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def wrap_read_errors(path, kind):
    """Turn every way in which reading a file can fail into one `InputError` that names it.

    Args:
        path: the file.
        kind: what it should be, for the message ("gzip file", ".npz file").
    """
    damage = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError)
    try:
        yield
    except damage as error:
        raise InputError(
            f"Expected a whole {kind}. Received: {path}, which is damaged or cut short ({error})."
        ) from error
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {path}. Received: {error.strerror}."
        ) from error


def _beside(path):
    return path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
