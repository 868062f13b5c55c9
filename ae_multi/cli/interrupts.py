"""Leave cleanly when a signal asks for it."""

import contextlib
import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
# Seconds in which a second signal counts as the same one: launchers often pass on Ctrl-C.
_SAME = 1.0
_is_leaving = False


def raise_on_signals():
    """Raise `KeyboardInterrupt` for Ctrl-C, for SIGTERM and when the terminal is closed.

    Blocks that end children and remove temporary files then do so, whatever the signal.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    last = -_SAME

    def interrupt(*event):
        nonlocal last
        now = time.monotonic()
        if now - last > _SAME and not _is_leaving:
            last = now
            raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def ignore_signals():
    """Let no further signal interrupt what ends children and removes files."""
    global _is_leaving
    _is_leaving = True


def exit_at_once(status):
    """End the process without Python's own shutdown.

    Frameworks crash in it while a thread of theirs still compiles (JAX), or wait for the thread.
    """
    for stream in (sys.stdout, sys.stderr):
        # A stream may be closed, or have no reader any more.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)
