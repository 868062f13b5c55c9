"""Exit status and error messages of a command."""

import sys
from collections.abc import Callable

from ae_multi.cli.interrupts import INTERRUPTED, ignore_signals
from ae_multi.errors import (
    BackendError,
    DivergenceError,
    ExportError,
    InputError,
    WorkerError,
)
from ae_multi.terminal import encodable, visible


def status_of(name: str, job: Callable[[], int]) -> int:
    """Run ``job`` and return its exit status. Print an expected error as one line on stderr.

    Args:
        name: name of the command, the beginning of the error message.
        job: function without arguments that returns an exit status.

    Returns:
        The status that ``job`` returns; 2 after a usage error (`BackendError`, `InputError`);
        1 after a failure (`DivergenceError`, `ExportError`, `WorkerError`, `OSError`,
        `MemoryError`); 130 after an interrupt. Any other exception is raised.
    """
    try:
        return job()
    except (BackendError, InputError) as error:
        status, message = 2, str(error)
    except (DivergenceError, ExportError, WorkerError) as error:
        status, message = 1, str(error)
    except OSError as error:
        status, message = 1, _describe_os_error(error)
    except MemoryError as error:
        status, message = 1, f"out of memory. {error}".strip()
    except KeyboardInterrupt:
        ignore_signals()
        status, message = INTERRUPTED, "interrupted"
    print(encodable(visible(f"{name}: {message}"), sys.stderr), file=sys.stderr)
    return status


def _describe_os_error(error):
    """Return the message of the operating system, with the file name if there is one."""
    message = error.strerror or str(error)
    return f"{message}: {error.filename}" if error.filename else message
