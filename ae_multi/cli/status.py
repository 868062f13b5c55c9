"""The exit status of a command, and its errors in one line."""

import sys

from ae_multi.cli.interrupts import INTERRUPTED, ignore_signals
from ae_multi.errors import (
    BackendError,
    DivergenceError,
    ExportError,
    InputError,
    WorkerError,
)
from ae_multi.terminal import encodable, visible


def status_of(name, job):
    """Return the exit status of ``job()``; print its error, if it raises a known one.

    Returns:
        2 where what was asked for cannot be done, 1 where it went wrong, 130 where it was
        interrupted; any other error is raised.
    """
    try:
        return job()
    except (BackendError, InputError) as error:
        status, message = 2, str(error)
    except (DivergenceError, ExportError, WorkerError) as error:
        status, message = 1, str(error)
    except OSError as error:
        status, message = 1, _of_system(error)
    except MemoryError as error:
        status, message = 1, f"out of memory. {error}".strip()
    except KeyboardInterrupt:
        ignore_signals()
        status, message = INTERRUPTED, "interrupted"
    print(encodable(visible(f"{name}: {message}"), sys.stderr), file=sys.stderr)
    return status


def _of_system(error):
    """What the operating system refused, in a line."""
    words = error.strerror or str(error)
    return f"{words}: {error.filename}" if error.filename else words
