"""The part of a worker in being launched: heartbeat, and end with the launcher."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time

# Set by the launcher: the file that a worker touches, and the process that the worker ends with.
HEARTBEAT = "AE_MULTI_HEARTBEAT"
LAUNCHER = "AE_MULTI_LAUNCHER"
# Content of that file if a restart would repeat the error of the worker.
NO_RESTART = "no restart"
# Seconds after which a worker gives up another one that does not answer.
TIMEOUT = "AE_MULTI_WORKER_TIMEOUT"
_PR_SET_PDEATHSIG = 1

_heartbeat = os.environ.get(HEARTBEAT)


def is_launched() -> bool:
    """Return whether `ae_multi.workers.launcher.launch` started this process."""
    return LAUNCHER in os.environ


def beat() -> None:
    """Record that this worker makes progress; called between two runs of steps."""
    if _heartbeat is not None:
        with contextlib.suppress(OSError):  # the launcher has ended
            os.utime(_heartbeat)


def finish() -> None:
    """Record that the training of this worker is done; the time-out applies to it no more."""
    if _heartbeat is not None:
        with contextlib.suppress(OSError):
            os.unlink(_heartbeat)


def refuse_restart() -> None:
    """Record that this worker fails with an error that a restart would repeat."""
    if _heartbeat is not None:
        with contextlib.suppress(OSError), open(_heartbeat, "w") as file:
            file.write(NO_RESTART)


def end_with_launcher() -> None:
    """Let this process be killed when its launcher ends, even if that is killed itself.

    On Linux the kernel does it (prctl(2), PR_SET_PDEATHSIG), elsewhere a thread that looks twice a
    second.
    """
    launcher = os.environ.get(LAUNCHER)
    if launcher is None:
        return
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _end_without(int(launcher))  # it may have ended before the call
    else:
        threading.Thread(target=_watch, args=[int(launcher)], daemon=True).start()


def _end_without(launcher):
    if os.getppid() != launcher:
        os._exit(1)


def _watch(launcher):
    while True:
        _end_without(launcher)
        time.sleep(0.5)
