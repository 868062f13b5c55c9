"""The child process: one backend, one job, events out.

The job arrives as one line of JSON on standard input. Its ``run`` names a function,
``ae_multi.module:function``, which is called with the job and with ``emit``, to which it gives
events, dicts of plain values. They leave as lines of JSON on standard output. Standard input then
stays open for as long as the parent lives; when it closes, however the parent died, the child
ends too.
"""

import importlib
import json
import logging
import os
import signal
import sys
import threading

from ae_multi.errors import BackendError, ExportError, InputError


def main():
    """Run the job on standard input; return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the parent ends us
    emit = _event_writer()
    job = json.loads(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("ae_multi").addHandler(_Notes(emit))
    try:
        module, function = job["run"].split(":")
        getattr(importlib.import_module(module), function)(job, emit)
    except (BackendError, ExportError, InputError) as error:
        emit({"event": "error", "kind": type(error).__name__, "message": str(error)})
        return 2
    emit({"event": "end"})
    return 0


def _event_writer():
    """A function that writes events; whatever else prints goes to standard error from here on."""
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def emit(event):
        events.write(json.dumps(event) + "\n")
        events.flush()

    return emit


class _Notes(logging.Handler):
    """Passes what the package logs on to the parent, where somebody reads it."""

    def __init__(self, emit):
        super().__init__(logging.WARNING)
        self._emit = emit

    def emit(self, record):
        self._emit({"event": "note", "message": record.getMessage()})


def _read_line():
    # By hand: a buffered reader would hold a lock in the thread below while Python shuts down.
    line = b""
    while not line.endswith(b"\n") and (piece := os.read(0, 1)):
        line += piece
    return line


def _end_with_parent():
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    raise SystemExit(main())
