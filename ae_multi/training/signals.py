"""Deferral of signals such as Ctrl-C to the end of a block of code."""

import contextlib
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@contextlib.contextmanager
def defer_signals() -> Iterator[Mapping[int, Any]]:
    """Defer SIGINT, SIGTERM and SIGHUP until the block has ended, so that no step is interrupted.

    A framework may suppress an exception that a signal handler raises while it traces or compiles.
    After the block, even if it raises an exception, the handlers of the signals that were received
    are called, once for each kind of signal. Signals without a Python handler are not deferred.

    Yields:
        Mapping with the numbers of the signals received so far.
    """
    received: dict[int, tuple] = {}
    if threading.current_thread() is not threading.main_thread():
        yield received  # Python calls signal handlers in the main thread only
        return
    handlers: dict[int, Any] = {}
    for number in (getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)):
        if callable(signal.getsignal(number)):
            handlers[number] = signal.signal(
                number, lambda *event: received.setdefault(event[0], event)
            )
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, event in received.items():
            handlers[number](*event)
