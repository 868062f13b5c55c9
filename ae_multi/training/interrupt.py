"""Ctrl-C between steps, and never within one."""

import contextlib
import signal
import threading


@contextlib.contextmanager
def held_back():
    """Hold Ctrl-C back until the block has ended, so that no step is left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python hands signals to the main thread alone
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda *event: came.append(event))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came and callable(before):
        before(*came[0])
