"""Clean exit after a signal."""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from typing import NoReturn

# Exit status of an interrupted command.
INTERRUPTED = 130
# A second signal within this time is ignored: launchers often forward Ctrl-C.
_SAME_SIGNAL_SECONDS = 1.0
# After this time the exception is raised again: a framework's callback may swallow it.
_RAISE_AGAIN_SECONDS = 10.0
_is_leaving = False


def raise_on_signals() -> None:
    """Raise `KeyboardInterrupt` on Ctrl-C, on SIGTERM and when the terminal is closed.

    Context managers and ``finally`` blocks then end child processes and remove temporary files,
    whatever the signal. If the exception was swallowed and the command continues, it is raised
    again.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    last = -_SAME_SIGNAL_SECONDS

    def interrupt(number, frame):
        nonlocal last
        now = time.monotonic()
        if now - last > _SAME_SIGNAL_SECONDS and not _is_leaving:
            last = now
            timer = threading.Timer(_RAISE_AGAIN_SECONDS, _interrupt_again, [number])
            timer.daemon = True
            timer.start()
            raise KeyboardInterrupt

    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


def _interrupt_again(number):
    if not _is_leaving:
        # A signal to the main thread ends a blocking call there. Windows has no pthread_kill.
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(threading.main_thread().ident, number)
        else:
            _thread.interrupt_main(number)


def ignore_signals() -> None:
    """Ignore further signals, so that they do not interrupt the cleanup."""
    global _is_leaving
    _is_leaving = True


def exit_at_once(status: int) -> NoReturn:
    """End the process without the shutdown of the Python interpreter.

    While a framework's thread is still compiling, the shutdown crashes (JAX) or waits for the
    thread.
    """
    for stream in (sys.stdout, sys.stderr):
        # A stream may be closed, or its reader may have ended.
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)
