"""One writer of a folder at a time."""

import os

from ae_multi.errors import InputError

# A lock of the operating system, which goes with the process, however that ends. It is the
# process's and not the open file's: a child that outlives a killed training does not hold it.
try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    def _take(file):
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
else:

    def _take(file):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Within one process such a lock keeps nobody out, so that is noted here.
_held = set()


class Lock:
    """Held from here to `release`, or to the end of the process.

    Args:
        path: the lock's file, made if need be and never removed: a second one of that name would
            be another lock.

    Raises:
        InputError: somebody else holds it.
        OSError: the file cannot be written.
    """

    def __init__(self, path):
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

    def release(self):
        """Let others in."""
        if self._path in _held:
            os.close(self._file)
            _held.discard(self._path)


def _busy(path, holder):
    return InputError(
        "Expected a folder of checkpoints that no other training writes to. "
        f"Received: {os.path.dirname(path)}, which {holder} holds."
    )
