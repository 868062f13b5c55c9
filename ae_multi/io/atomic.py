"""Atomic writes, and checks of the paths that are read and written."""

import contextlib
import gzip
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from ae_multi.errors import InputError


def check_writable(path: os.PathLike[str] | str, what: str) -> Path:
    """Check that a file can be written at ``path``. Call it before long work.

    Args:
        path: path of the file.
        what: content of the file, for error messages ("the figure", "the model").

    Returns:
        ``path`` as a `pathlib.Path`.

    Raises:
        InputError: ``path`` is a folder, its folder does not exist, or it cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"Expected a file name for {what}. Received: the folder {path}.")
    if not path.parent.is_dir():
        raise InputError(
            f"Expected {what} to go into an existing folder. Received: {path}, "
            f"but {path.parent} is not a folder."
        )
    probe = _temporary_path(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"Expected to be able to write {what}. Received: {path}, "
            f"which cannot be written ({error.strerror})."
        ) from error
    return path


def check_file(path: os.PathLike[str] | str, what: str) -> None:
    """Check that ``path`` is a regular file. Reading a pipe or device might never end.

    Args:
        path: path of the file.
        what: content of the file, for error messages ("the file of an estimator").

    Raises:
        InputError: there is no file, or it is a folder, pipe or device.
    """
    if not Path(path).is_file():
        raise InputError(f"Expected {what}. Received: {path}, which is not a file.")


@contextlib.contextmanager
def atomic_write(path: os.PathLike[str] | str) -> Iterator[Path]:
    """Context manager that yields a temporary path and moves it to ``path`` on success.

    A reader sees the old file or the complete new one. After an error or Ctrl-C the old file is
    unchanged and the temporary file is removed. The temporary file is in the same folder and has
    the same suffix, since some writers choose the format by the suffix.
    """
    path = Path(path)
    temporary = _temporary_path(path)
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def wrap_read_errors(path: os.PathLike[str] | str, kind: str) -> Iterator[None]:
    """Context manager that converts errors of reading a file to an `InputError` with its path.

    Args:
        path: path of the file.
        kind: expected type of file, for error messages ("gzip file", ".npz file").
    """
    damage = (EOFError, gzip.BadGzipFile, zipfile.BadZipFile, zlib.error, NotImplementedError)
    try:
        yield
    except damage as error:
        raise InputError(
            f"Expected a complete {kind}. "
            f"Received: {path}, which is damaged or cut short ({error})."
        ) from error
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {path}. Received: {error.strerror}."
        ) from error


def _temporary_path(path: Path) -> Path:
    """Return a random hidden name in the folder of ``path``, with the same suffix."""
    return path.with_name(f".{path.stem}-{secrets.token_hex(4)}{path.suffix}")
