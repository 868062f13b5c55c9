"""Import a framework without what it logs as it starts."""

import contextlib
import importlib
import logging
import os
import re
import sys
import tempfile

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Notices and warnings of TensorFlow's C++ parts, which the level above does not reach before they
# have set up their log.
_NOTICE = re.compile(
    r"[IW]\d{4} \d\d:|\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING: All log messages before absl::"
    r"|To enable the following instructions"
)
_hides = False


def hide_notices():
    """Hide what frameworks log as they start, unless the user has chosen a level for it.

    From here on Python writes to a copy of standard error, so that the other can be redirected.
    """
    global _hides
    # Without a home directory Matplotlib explains at length where it keeps its fonts.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    if _LEVEL in os.environ:
        return
    os.environ[_LEVEL] = "2"
    _hides = True
    if sys.stderr is sys.__stderr__ and sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            errors, encoding = sys.stderr.errors, sys.stderr.encoding
            sys.stderr = os.fdopen(os.dup(2), "w", 1, encoding=encoding, errors=errors)


def import_backend(trains=True):
    """Import Keras and the framework that it runs on; return the backend's name.

    Args:
        trains: whether the backend has to be one that trains.

    Raises:
        BackendError: it is unknown, not installed, or cannot train.
    """
    from ae_multi.selection import select_training_backend

    name = select_training_backend() if trains else None
    with _hidden() if _hides else contextlib.nullcontext():
        keras = importlib.import_module("ae_multi._keras").keras
    return name or keras.config.backend()


@contextlib.contextmanager
def _hidden():
    """Keep back what is written to standard error below Python; print what is no notice."""
    try:
        shown = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(shown, 2)
            os.close(shown)
            log.seek(0)
            for line in log.read().decode(errors="replace").splitlines():
                if not _NOTICE.match(line):
                    print(line, file=sys.stderr)
