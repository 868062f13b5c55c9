"""The exit status of a command, and its errors in one line."""

import sys

from ae_multi.errors import (
    BackendError,
    DivergenceError,
    ExportError,
    InputError,
    WorkerError,
)


def status_of(name, job):
    """The exit status that ``job()`` returns, or that of its error, which is told.

    Returns:
        2 where what was asked for cannot be done, 1 where it went wrong, 130 where it was
        interrupted; any other error is raised.
    """
    try:
        return job()
    except (BackendError, InputError) as error:
        status, told = 2, error
    except (DivergenceError, ExportError, WorkerError) as error:
        status, told = 1, error
    except KeyboardInterrupt:
        status, told = 130, "interrupted"
    print(f"{name}: {told}", file=sys.stderr)
    return status
