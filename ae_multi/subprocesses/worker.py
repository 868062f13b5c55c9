"""Main module of a child process, which runs one job on one backend and writes events.

The child reads the job as one line of JSON from standard input. ``run`` in the job names a
function, ``ae_multi.module:function``. The child calls it with the job and with ``emit``, a
function that takes an event, a JSON-serialisable dict, and writes it as one line of JSON to
standard output. The parent keeps standard input open as long as it runs. The operating system
closes it when the parent ends, even if the parent is killed, and then the child exits.
"""

import importlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from ae_multi.errors import BackendError, ExportError, InputError

# Errors that the parent raises again, those of a derived class as the class listed here.
REPORTED_ERRORS = (BackendError, ExportError, InputError)


def main() -> int:
    """Run the job from standard input; return the exit status, 0 or 2 after an error event."""
    # A terminal sends Ctrl-C to parent and child; the parent handles it and ends the child.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    emit = _event_writer()
    job = json.loads(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("ae_multi").addHandler(_NoteHandler(emit))
    try:
        module, function = job["run"].split(":")
        getattr(importlib.import_module(module), function)(job, emit)
    except REPORTED_ERRORS as error:
        kind = next(kind for kind in REPORTED_ERRORS if isinstance(error, kind))
        emit({"event": "error", "kind": kind.__name__, "message": str(error)})
        return 2
    emit({"event": "end"})
    return 0


def _event_writer() -> Callable[[dict[str, Any]], None]:
    """Return a function that writes events, and redirect all other output to standard error."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def emit(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    return emit


class _NoteHandler(logging.Handler):
    """Log handler that sends the package's warnings to the parent as events."""

    def __init__(self, emit: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(logging.WARNING)
        self._emit = emit

    def emit(self, record: logging.LogRecord) -> None:
        self._emit({"event": "note", "message": record.getMessage()})


def _read_line() -> bytes:
    # Unbuffered: a buffered reader would keep a lock in the thread of `_end_with_parent` while
    # Python shuts down.
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(0, 1)):
        line += piece
    return line


def _end_with_parent() -> None:
    """Exit this process when standard input closes."""
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
