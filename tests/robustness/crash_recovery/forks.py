"""Forked processes, which do not repeat the imports of their parent."""

import contextlib
import json
import os
import signal
import time
import traceback
import zipfile


def in_fork(function, wait=None):
    """Run ``function`` in a fork of this process, which may be killed.

    Args:
        function: called with ``on_start``, a function that starts the measured time; returns plain
            values.
        wait: seconds from there after which it is killed, or None.

    Returns:
        (what ``function`` returned, or None where the copy was killed; seconds from there to its
        end)

    Raises:
        RuntimeError: ``function`` raised; with what.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            result = {"result": function(lambda: os.write(writing, b"begun\n"))}
        except BaseException:
            result = {"error": traceback.format_exc()}
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        first = pipe.readline()  # the start of the measured time, or the result
        begun = time.perf_counter()
        if wait is not None:
            time.sleep(wait)
            os.kill(child, signal.SIGKILL)
        text = pipe.read() if first == b"begun\n" else first
    seconds = time.perf_counter() - begun
    os.waitpid(child, 0)
    result = json.loads(text) if text else {"result": None}
    if "error" in result:
        raise RuntimeError(result["error"])
    return result["result"], seconds


class Calls:
    """Counts the system calls of writing a checkpoint, and kills this process at one of them.

    Args:
        last: the number of the call at which this process is killed, or None.
        after: whether the call is made first.
    """

    def __init__(self, last=None, after=False):
        self.count = 0
        self._last, self._after = last, after
        for owner, name in (
            (os, "fsync"),
            (os, "replace"),
            (os, "unlink"),
            (os, "open"),
            (zipfile.ZipFile, "writestr"),
        ):
            setattr(owner, name, self._watched(getattr(owner, name)))

    def _watched(self, real):
        def call(*arguments, **keywords):
            here = self.count == self._last
            self.count += 1
            if here and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **keywords)
            if here:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call
