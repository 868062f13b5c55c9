"""Ctrl-C between steps, and never within one."""

import contextlib
import signal
import threading

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def defer_signals():
    """Hold signals back until the block has ended, so that no step is left half done.

    An exception that is raised while a framework traces or compiles may be swallowed by it.
    Signals that Python does not handle keep their effect.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    came, before = [], {}
    for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
        if callable(signal.getsignal(number)):
            before[number] = signal.signal(number, lambda *event: came.append(event))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        before[came[0][0]](*came[0])
