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
        function: function of ``on_start``, a function that starts the measured time; returns
            values for JSON.
        wait: seconds after that start at which the fork is killed, or None.

    Returns:
        (result of ``function``, or None if the fork was killed; seconds from the start to the end)

    Raises:
        RuntimeError: ``function`` raised; the message is its traceback.
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
    """Count the system calls that write a checkpoint, and kill this process at one of them.

    Args:
        last: number of the call at which this process is killed, or None.
        after: whether to kill it after the call instead of before.
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
            setattr(owner, name, self._counted(getattr(owner, name)))

    def _counted(self, real):
        def call(*arguments, **keywords):
            is_last = self.count == self._last
            self.count += 1
            if is_last and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **keywords)
            if is_last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call
