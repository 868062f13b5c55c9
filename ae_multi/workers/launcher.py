"""Start the workers of a data-parallel training on this machine, watch and restart them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from ae_multi.argument_checks import check_positive
from ae_multi.errors import InputError, WorkerError
from ae_multi.workers.cores import cores_of_workers
from ae_multi.workers.launched import HEARTBEAT, LAUNCHER, NO_RESTART, TIMEOUT

# Exit statuses of a worker: a usage error, which a restart would repeat, and an interrupt.
_USAGE_ERROR = 2
_INTERRUPTED = 130
# Seconds between two looks at the workers.
_POLL_SECONDS = 0.05
# Seconds that workers have to end by themselves after a signal or the usage error of another one.
_GRACE_SECONDS = 5.0
# Minimum of the seconds after which workers give up one that does not answer.
_MIN_SECONDS = 600.0
# Bytes of output that are kept of each worker after the first, and lines of it that are shown.
_MAX_OUTPUT = 16 * 1024
_MAX_OUTPUT_LINES = 20


def launch(
    command: Callable[[int], Sequence[str]],
    workers: int,
    restarts: int = 0,
    timeout: float | None = None,
    warn: Callable[[str], object] = lambda line: None,
) -> int:
    """Run a program in several processes of one group until all have ended.

    If one of them fails, all are ended and started again. Worker 0 writes to the terminal. The end
    of another worker's output is part of the error if it fails for the last time.

    The processes get the variables that torchrun sets as well: RANK, LOCAL_RANK, WORLD_SIZE,
    LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, a free port of each attempt. The processor cores
    are divided among them, and OMP_NUM_THREADS is the number of cores of each unless it is set.
    They end with this process if they call `ae_multi.workers.launched.end_with_launcher`. Call this
    function in the main thread.

    Args:
        command: function of the number of restarts before, which returns program and arguments.
        workers: number of processes.
        restarts: how many times they are started again.
        timeout: seconds without a call of `ae_multi.workers.launched.beat` after which a worker has
            failed, or None for no limit.
        warn: function that is called with one line about each restart and its cause.

    Returns:
        The exit status: 0, 2 if a worker ended with a usage error, which is not repeated, that of
        worker 0 after an error that `ae_multi.workers.launched.refuse_restart` has recorded, or 130
        if the workers were interrupted and worker 0 has said so.

    Raises:
        InputError: a number below 1 (``restarts``: below 0), or a ``timeout`` of 0 or less.
        KeyboardInterrupt: this process was interrupted. The workers have ended.
        WorkerError: a worker failed after the last restart.
    """
    check_positive(workers=workers, restarts=restarts + 1)
    if timeout is not None and not timeout > 0:
        raise InputError(f"Expected a time-out above 0 seconds. Received: {timeout!r}.")
    attempt = 0
    while True:
        with _started(command(attempt), workers, timeout) as group:
            try:
                failed = _wait(group, timeout)
            except KeyboardInterrupt:
                _end(group, signal.SIGTERM)
                if group[0].process.poll() == _INTERRUPTED:
                    return _INTERRUPTED
                raise
            if failed is None:
                return 0
            cause, status = failed.cause(), failed.process.poll()
            is_final = status == _USAGE_ERROR or failed.refuses_restart()
            if is_final:
                _end(group, None)
                if status is not None and group[0].process.poll() == status:
                    return status  # worker 0 has said what the error is
        if is_final or attempt == restarts:
            tried = f" after {attempt} restart{'s' if attempt > 1 else ''}" if attempt else ""
            raise WorkerError(
                f"Expected {workers} workers that finish. "
                f"Received: {cause}{tried}.{failed.shown_output()}"
            )
        attempt += 1
        warn(f"{cause}; restart {attempt} of {restarts}")


class _Worker:
    """A worker process.

    Args:
        command: program and arguments.
        rank: number of the worker.
        environment: environment variables of the process.
        heartbeat: the file that the process touches.
        cores: numbers of the processor cores of the process, or None for all.
    """

    def __init__(
        self,
        command: Sequence[str],
        rank: int,
        environment: dict[str, str],
        heartbeat: Path,
        cores: Sequence[int] | None,
    ):
        self.rank, self._heartbeat = rank, heartbeat
        heartbeat.touch()
        self._beat, self._changed = heartbeat.stat().st_mtime_ns, time.monotonic()
        self._is_stuck, self._output = False, bytearray()
        self.process = subprocess.Popen(
            command,
            env={**environment, HEARTBEAT: str(heartbeat)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if rank else None,
            stderr=subprocess.STDOUT if rank else None,
            start_new_session=True,  # Ctrl-C in the terminal reaches the launcher alone
        )
        if cores is not None:
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(self.process.pid, cores)
        if rank:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def seconds_without_progress(self) -> float:
        """Return the seconds since the worker has touched its file, or has started.

        A worker that has removed the file is done: 0.
        """
        try:
            beat = self._heartbeat.stat().st_mtime_ns
        except FileNotFoundError:
            return 0.0
        if beat != self._beat:
            self._beat, self._changed = beat, time.monotonic()
        return time.monotonic() - self._changed

    def is_stuck(self, timeout: float) -> bool:
        """Return whether the worker runs and has made no progress for ``timeout`` seconds."""
        seconds = self.seconds_without_progress()
        self._is_stuck = self.process.poll() is None and seconds > timeout
        self._timeout = timeout
        return self._is_stuck

    def refuses_restart(self) -> bool:
        """Return whether the worker has recorded an error that a restart would repeat."""
        try:
            return self._heartbeat.read_text() == NO_RESTART
        except OSError:  # its training was done
            return False

    def cause(self) -> str:
        """Return in words why the worker has failed."""
        status = self.process.poll()
        if self._is_stuck:
            return f"worker {self.rank} made no progress for {self._timeout:g} s"
        if status is not None and status < 0:
            return f"worker {self.rank} was ended by {_signal_name(-status)}"
        return f"worker {self.rank} ended with status {status}"

    def shown_output(self) -> str:
        """Return the end of the worker's output as lines of an error, "" for worker 0."""
        if not self.rank:
            return ""
        self._reader.join(timeout=1)
        lines = self._output.decode(errors="replace").splitlines()[-_MAX_OUTPUT_LINES:]
        text = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return f" The end of its output:\n{text}"

    def kill(self, number: int) -> None:
        """Send a signal to the process and its own children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    def _read(self):
        pipe: IO[bytes] | None = self.process.stdout
        assert pipe is not None
        with pipe:
            while piece := os.read(pipe.fileno(), 4096):
                self._output += piece
                del self._output[:-_MAX_OUTPUT]


@contextlib.contextmanager
def _started(
    command: Sequence[str], workers: int, timeout: float | None
) -> Iterator[list[_Worker]]:
    """Start the workers of one attempt; kill those that are left after the block."""
    cores = cores_of_workers(workers)
    environment = {
        **os.environ,
        LAUNCHER: str(os.getpid()),
        "WORLD_SIZE": str(workers),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "LOCAL_WORLD_SIZE": str(workers),
    }
    if timeout is not None:  # the launcher finds a worker that hangs before the others give up
        environment.setdefault(TIMEOUT, str(max(_MIN_SECONDS, timeout + 60)))
    environment.setdefault("OMP_NUM_THREADS", str(len(cores[0])))
    group: list[_Worker] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rank in range(workers):
                own = {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
                pinned = cores[rank] if hasattr(os, "sched_setaffinity") else None
                group.append(_Worker(command, rank, own, Path(folder) / str(rank), pinned))
            yield group
        finally:
            for worker in group:
                worker.kill(signal.SIGKILL)
            for worker in group:
                worker.process.wait()
            if sys.stderr is not None and sys.stderr.isatty():
                sys.stderr.write("\x1b[?25h")  # a killed progress bar leaves the cursor hidden


def _wait(group: Sequence[_Worker], timeout: float | None) -> _Worker | None:
    """Wait for the end of all workers; return the first that has failed, or None."""
    while True:
        statuses = [worker.process.poll() for worker in group]
        failed = [(status > 0, rank) for rank, status in enumerate(statuses) if status]
        if failed:
            # One that a signal has ended comes first: it lets the others end with an error.
            return group[min(failed)[1]]
        if statuses == [0] * len(group):
            return None
        if timeout is not None:
            stuck = [worker for worker in group if worker.is_stuck(timeout)]
            if stuck:
                # The others wait for the one that has stopped first.
                return max(stuck, key=_Worker.seconds_without_progress)
        time.sleep(_POLL_SECONDS)


def _end(group: Sequence[_Worker], number: int | None) -> None:
    """Send a signal to all workers, or none, and wait for `_GRACE_SECONDS` for their end."""
    end = time.monotonic() + _GRACE_SECONDS
    for worker in group:
        if number is not None:
            worker.kill(number)
    while time.monotonic() < end and any(worker.process.poll() is None for worker in group):
        time.sleep(_POLL_SECONDS)


def _free_port() -> int:
    """Return the number of a port of this machine that no process listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _signal_name(number):
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
