"""Start the workers of a group as processes of the current backend, and collect their results."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ae_multi.backend_selection import select_backend

ROOT = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("train_worker.py")


def free_port():
    """Return a port that no process listens on."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def start_workers(size, job, folder, **variables):
    """Start ``size`` processes that run ``job``; return the list of them.

    Args:
        size: number of workers; a single process has no group.
        job: JSON value, see `train_worker`.
        folder: folder for the files of the processes.
        variables: further environment variables.
    """
    folder, port, processes = Path(folder), free_port(), []
    (folder / "job.json").write_text(json.dumps(job))
    for rank in range(size):
        environment = {
            **os.environ,
            "KERAS_BACKEND": select_backend(),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "AE_MULTI_CACHE": str(folder / f"cache-{rank}"),
            "RANK": str(rank),
            "WORLD_SIZE": str(size),
            "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            **variables,
        }
        with (folder / f"log-{rank}.txt").open("w") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, str(SCRIPT), str(folder / "job.json"), result(folder, rank)],
                    env=environment,
                    cwd=ROOT,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
    return processes


def result(folder, rank):
    """Return the path of a worker's result."""
    return str(Path(folder) / f"result-{rank}.json")


def run_workers(size, job, timeout=240):
    """Run ``job`` in ``size`` workers of the current backend.

    Args:
        size: number of workers; 1 for a single process without a group.
        job: JSON value, see `train_worker`.
        timeout: seconds after which all workers are killed.

    Returns:
        List of one dict for each worker: its result; with "code", the exit code of the process,
        "log", what it printed, and "ended", the seconds after the first worker's end.
    """
    with tempfile.TemporaryDirectory() as folder:
        processes = start_workers(size, job, folder)
        ends = [None] * size
        limit = time.monotonic() + timeout
        try:
            while None in ends and time.monotonic() < limit:
                for rank, process in enumerate(processes):
                    if ends[rank] is None and process.poll() is not None:
                        ends[rank] = time.monotonic()
                time.sleep(0.02)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        first = min((end for end in ends if end is not None), default=limit)
        outcomes = []
        for rank, process in enumerate(processes):
            path = Path(result(folder, rank))
            outcomes.append(
                {
                    **(json.loads(path.read_text()) if path.exists() else {}),
                    "code": process.returncode,
                    "log": (Path(folder) / f"log-{rank}.txt").read_text(errors="replace"),
                    "ended": None if ends[rank] is None else ends[rank] - first,
                }
            )
        return outcomes
