"""Leave cleanly when a signal asks for it."""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time

INTERRUPTED = 130
# Seconds in which a second signal counts as the same one: launchers often pass on Ctrl-C.
_SAME = 1.0
# Seconds after which the exception counts as lost: a framework's callback may swallow it.
_LOST = 10.0
_is_leaving = False


def raise_on_signals():
    """Raise `KeyboardInterrupt` for Ctrl-C, for SIGTERM and when the terminal is closed.

    Blocks that end children and remove temporary files then do so, whatever the signal. Where
    nothing ends the command, because the exception was lost, it is raised again.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    last = -_SAME

    def interrupt(number, frame):
        nonlocal last
        now = time.monotonic()
        if now - last > _SAME and not _is_leaving:
            last = now
            timer = threading.Timer(_LOST, _interrupt_again, [number])
            timer.daemon = True
            timer.start()
            raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _interrupt_again(number):
    if not _is_leaving:
        # To the main thread, whose waiting ends so; Windows lacks the call.
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident, number)
        else:
            _thread.interrupt_main(number)


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
