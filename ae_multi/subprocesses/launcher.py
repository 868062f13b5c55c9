"""Start a backend in a process of its own and listen to it."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile

from ae_multi.errors import BackendError, ExportError, InputError, WorkerError

_ERROR_CLASSES = {
    "BackendError": BackendError,
    "DownloadError": InputError,
    "ExportError": ExportError,
    "InputError": InputError,
}
_MAX_LOG_LINES = 12
_WORKER_MODULE = "ae_multi.subprocesses.worker"


def run(python, backend, job, children=None):
    """Run one job on one backend; yield its events as they come.

    The child is gone when this generator is, whether it ended, failed, was closed or was
    interrupted.

    Args:
        python: the interpreter of an environment that holds the backend and this package.
        backend: the backend's name.
        job: dict of plain values; ``run`` names the function that takes it, see
            `ae_multi.subprocesses.worker`.
        children: a set that holds the child as long as it runs, for whoever has to end it from
            another thread; or None.

    Raises:
        BackendError, InputError, ExportError: as the child raised them. InputError also where
            this is a child itself: a file that starts a comparison while a child imports it would
            start a child that imports it, and so on.
        WorkerError: the child ended otherwise.
    """
    if is_worker_process():
        raise InputError(
            "Expected a file that other processes import to compare under `if __name__ == "
            '"__main__":` alone. Received: one that starts a comparison as it is imported.'
        )
    with tempfile.TemporaryFile() as log:
        try:
            child = subprocess.Popen(
                [python, "-m", _WORKER_MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=_environment(backend),
            )
        except OSError as error:
            raise InputError(
                f"Expected an interpreter that can be run. Received: {python} ({error.strerror})."
            ) from error
        children = set() if children is None else children
        children.add(child)
        try:
            with contextlib.suppress(BrokenPipeError):  # told below, with the child's own words
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
                f"The {backend} process ended with status {child.wait()} before its work was "
                f"done. The end of what it printed:\n{_tail(log)}"
            )
        finally:
            children.discard(child)
            _end(child)


def is_worker_process():
    """Whether this process is one that `run` started."""
    specification = getattr(sys.modules["__main__"], "__spec__", None)
    return specification is not None and specification.name == _WORKER_MODULE


def _environment(backend):
    environment = {**os.environ, "KERAS_BACKEND": backend}
    # TensorFlow greets with a page of hints about its build; what goes wrong still shows.
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return environment


def _end(child):
    """End the child, kindly and then not; a child that has ended is left alone."""
    with contextlib.suppress(BrokenPipeError):
        child.stdin.close()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    child.stdout.close()


def _tail(log):
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    return "\n".join(f"    {line}" for line in lines[-_MAX_LOG_LINES:]) or "    (nothing)"
