"""Run a job on one backend in a child process and receive its events."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

from ae_multi.errors import InputError, WorkerError
from ae_multi.subprocesses.worker import REPORTED_ERRORS
from ae_multi.workers.group import GROUP_VARIABLES

_ERROR_CLASSES = {kind.__name__: kind for kind in REPORTED_ERRORS}
_MAX_LOG_LINES = 12
_WORKER_MODULE = "ae_multi.subprocesses.worker"


def run(
    python: str,
    backend: str,
    job: Mapping[str, Any],
    children: set[subprocess.Popen[bytes]] | None = None,
    threads: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Run one job on one backend in a child process and yield its events.

    The child process ends with this generator, whether the generator finishes, fails, is closed
    or is interrupted.

    Args:
        python: path of the interpreter of an environment with the backend and this package.
        backend: name of the backend.
        job: JSON-serialisable dict; ``run`` names the function to call, see
            `ae_multi.subprocesses.worker`.
        children: set to which the child process is added while it runs, so that another thread
            can end it; or None.
        threads: number of OpenMP threads of the child, unless the environment variable
            OMP_NUM_THREADS is set; None for one per core.

    Yields:
        The child's events, dicts with the key "event", without the last one, "end".

    Raises:
        BackendError, InputError, ExportError: the child raised this error.
        InputError: ``python`` cannot be run, or this process is itself a child. A file that starts
            a comparison when it is imported would start child processes without end.
        WorkerError: the child ended before the job was done.
    """
    if is_worker_process():
        raise InputError(
            'Expected a file that starts a comparison only under `if __name__ == "__main__":`, '
            "since child processes import it. Received: one that starts a comparison as it is "
            "imported."
        )
    with tempfile.TemporaryFile() as log:
        try:
            child = subprocess.Popen(
                [python, "-m", _WORKER_MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(backend, threads),
            )
        except OSError as error:
            raise InputError(
                f"Expected an interpreter that can be run. Received: {python} ({error.strerror})."
            ) from error
        children = set() if children is None else children
        children.add(child)
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # reported below, with the child's output
                child.stdin.write(json.dumps(job).encode() + b"\n")
                child.stdin.flush()
            for line in child.stdout:
                event = json.loads(line)
                if event["event"] == "error":
                    raise _ERROR_CLASSES[event["kind"]](event["message"])
                if event["event"] == "end":
                    return
                yield event
            raise WorkerError(
                f"Expected a {backend} process that finishes its job. Received: the {backend} "
                f"process ended with status {child.wait()}. The end of its standard error:\n"
                f"{_tail(log)}"
            )
        finally:
            children.discard(child)
            _end(child)


def is_worker_process() -> bool:
    """Return whether `run` started this process."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    return specification is not None and specification.name == _WORKER_MODULE


def _environment(backend: str, threads: int | None) -> dict[str, str]:
    environment = {**os.environ, "KERAS_BACKEND": backend}
    for name in GROUP_VARIABLES:  # the child is no worker of this process's group
        environment.pop(name, None)
    if threads is not None:
        environment.setdefault("OMP_NUM_THREADS", str(threads))
    # Hide the hints about its build that TensorFlow logs at start; errors are still logged.
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return environment


def _end(child: subprocess.Popen[bytes]) -> None:
    """Close the child's standard input, wait 5 seconds for it to exit, then kill it."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _tail(log: IO[bytes]) -> str:
    """Return the last lines of the child's standard error, indented."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-_MAX_LOG_LINES:]) or "    (nothing)"
