"""Import of a framework without its startup log."""

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile

from ae_multi.workers.group import current

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Notices and warnings of TensorFlow's C++ code. The level above has no effect until that code has
# initialized its log.
_NOTICE = re.compile(
    r"[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl::"
    r"|To enable the following instructions|\[Gloo\] Rank \d+ is connected"
)
_hides = False


def hide_notices() -> None:
    """Hide the startup log of frameworks, unless the user has set ``TF_CPP_MIN_LOG_LEVEL``.

    Python then writes to a copy of standard error, so that the original can be redirected.
    """
    global _hides
    # Without a home directory Matplotlib logs a long warning about its font cache.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if _LEVEL in os.environ:
        return
    os.environ[_LEVEL] = "2"
    _hides = True
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            errors, encoding = sys.stderr.errors, sys.stderr.encoding
            sys.stderr = os.fdopen(os.dup(2), "w", 1, encoding=encoding, errors=errors)


def show_notices() -> None:
    """Undo `hide_notices` for processes that this one starts, which call it themselves."""
    if _hides:
        os.environ.pop(_LEVEL, None)


def import_backend(trains: bool = True) -> str:
    """Import Keras and its backend, and return the name of the backend.

    A worker waits for the other workers of its group.

    Args:
        trains: whether the backend has to support training.

    Raises:
        BackendError: the backend is unknown, not installed, or cannot train.
    """
    from ae_multi.backend_selection import select_training_backend

    name = select_training_backend() if trains else None
    with _hidden() if _hides else contextlib.nullcontext():
        keras = importlib.import_module("ae_multi._keras").keras
        group = current()
        if group is not None:
            group.gather(None)  # JAX's workers connect now, and report that
    return name or keras.config.backend()


@contextlib.contextmanager
def _hidden():
    """Capture what native code writes to standard output and error, and print all but notices."""
    with contextlib.ExitStack() as stack:
        for number, stream in ((1, sys.stdout), (2, sys.stderr)):
            stack.enter_context(_captured(number, stream))
        yield


@contextlib.contextmanager
def _captured(number, stream):
    """Capture what is written to a file descriptor, and print all lines except notices."""
    try:
        if number == 1 and stream is not None:
            stream.flush()
        original = os.dup(number)
    except OSError:  # the stream is closed
        yield
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), number)
        try:
            yield
        finally:
            if number == 1 and stream is not None:
                stream.flush()
            os.dup2(original, number)
            os.close(original)
            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines():
                if not _NOTICE.match(line):
                    print(line, file=stream)
