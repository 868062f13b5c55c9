"""Groups of workers on the backend of this process, for `benchmarks.workers`."""

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

from ae_multi.workers.launcher import launch

_TIMEOUT = 300.0
# Samples and epochs of the scaling; epochs of a training that is killed.
SAMPLES, EPOCHS, KILLED_EPOCHS = 65_536, 5, 30


def measure(kind, workers, arguments, models=()):
    """Run one part with a number of workers; see `benchmarks.workers`.

    Args:
        kind: "losses", "scaling" or "kills".
        workers: number of workers.
        arguments: for "losses" those of `benchmarks.workers_run.first_losses`, for "scaling" the
            global batch size, for "kills" the number of kills and the seed of their moments.
        models: names of the models for "losses".

    Returns:
        Dict of values for JSON.
    """
    function = {"losses": _losses, "scaling": _scaling, "kills": _kills}[kind]
    return {"workers": workers, **function(workers, *arguments, models=models)}


def _losses(workers, *arguments, models):
    found = _group(workers, {"run": "losses", "models": list(models), "arguments": arguments})
    trained = {
        model: [
            {**each, "digests": [result[model][number].get("digest") for result in found["ranks"]]}
            for number, each in enumerate(found["ranks"][0][model])
        ]
        for model in models
    }
    return {**found["environment"], "trained": trained}


def _scaling(workers, batch, models):
    found = _group(workers, {"run": "speed", "arguments": [batch, SAMPLES, EPOCHS]})
    first = found["ranks"][0]
    return {
        **found["environment"],
        "batch": batch,
        "plan": first["plan"],
        "steps_per_second": SAMPLES / batch / min(first["epoch_seconds"]),
        "epoch_seconds": first["epoch_seconds"],
    }


def _kills(workers, count, seed, models):
    draw = random.Random(seed)
    whole = _killed(workers)
    seconds = whole["seconds"]
    cases = []
    for _ in range(count):
        moment, rank = draw.uniform(0, seconds), draw.randrange(workers)
        found = _killed(workers, moment, rank)
        cases.append(
            {
                "moment": moment,
                "rank": rank,
                "restarted": found["restarts"] > 0,
                "is_equal": found["digests"] == whole["digests"],
                "losses_equal": found["losses"] == whole["losses"],
            }
        )
    is_same = len(set(whole["digests"])) == 1
    return {**whole["environment"], "seconds": seconds, "is_equal": is_same, "cases": cases}


def _killed(workers, moment=None, rank=None):
    """Train with checkpoints; kill worker ``rank`` after ``moment`` seconds of the second epoch."""
    with tempfile.TemporaryDirectory() as folder:
        begun, lines = [Path(folder, f"begun-{each}") for each in range(workers)], []
        times, ended = [], threading.Event()

        def kill():
            while not all(path.exists() and path.read_text() for path in begun):
                if ended.wait(0.01):
                    return
            times.append(time.perf_counter())
            if moment is not None and not ended.wait(moment):
                os.kill(int(begun[rank].read_text()), signal.SIGKILL)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            job = {"run": "kills", "arguments": [folder, KILLED_EPOCHS]}
            found = _group(workers, job, restarts=1, warn=lines.append)
        finally:
            seconds = time.perf_counter() - times[0] if times else 0.0
            ended.set()
            thread.join()
    return {
        "digests": [result["digest"] for result in found["ranks"]],
        "losses": found["ranks"][0]["losses"],
        "environment": found["environment"],
        "seconds": seconds,
        "restarts": len(lines),
    }


def _group(workers, job, restarts=0, warn=lambda line: None):
    """Run a job in each worker; return ``ranks``, a list of their results, and ``environment``."""
    with tempfile.TemporaryDirectory() as folder:
        text = json.dumps({**job, "folder": folder})

        def command(attempt):
            return [sys.executable, "-m", "benchmarks.workers_run", text]

        launch(command, workers, restarts, _TIMEOUT, warn)
        names = [*map(str, range(workers)), "environment"]
        *ranks, environment = (
            json.loads(Path(folder, f"{name}.json").read_text()) for name in names
        )
        return {"ranks": ranks, "environment": environment}
