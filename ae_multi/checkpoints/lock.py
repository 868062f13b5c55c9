"""Lock that gives one process write access to a folder."""

import os
from os import PathLike

from ae_multi.errors import InputError

# The operating system releases the lock when the process ends, however it ends. The lock belongs to
# the process, not to the open file, so a child process that outlives a killed training does not
# hold it.
try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _take(file):
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:

    def _take(file):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Paths that this process has locked. The lock of the system excludes only other processes.
_held: set[str] = set()


class Lock:
    """Exclusive lock, held from its creation to `release` or the end of the process.

    Args:
        path: the lock file, created if it does not exist and never removed: a second file of that
            name would be a different lock.

    Raises:
        InputError: another training holds the lock.
        OSError: the file cannot be written.
    """

    def __init__(self, path: PathLike[str] | str):
        self._path = os.path.realpath(path)
        if self._path in _held:
            raise _busy(path, "this process")
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _take(self._file)
        except OSError as error:
            holder = os.read(self._file, 20).decode(errors="replace").strip()
            os.close(self._file)
            raise _busy(path, f"process {holder or 'unknown'}") from error
        _held.add(self._path)
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Release the lock."""
        if self._path in _held:
            os.close(self._file)
            _held.discard(self._path)


def _busy(path: PathLike[str] | str, holder: str) -> InputError:
    return InputError(
        "Expected a folder of checkpoints that no other training writes to. "
        f"Received: {os.path.dirname(path)}, which {holder} holds."
    )
