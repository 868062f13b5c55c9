"""Kills on one backend, as a job of `ae_multi.subprocesses.worker`."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from tests.robustness.crash_recovery.forks import Calls, in_fork
from tests.robustness.crash_recovery.training import EVERY, train


def run(job, emit):
    """Kill trainings at ``job["moments"]`` moments, ``job["at_once"]`` in parallel."""
    with tempfile.TemporaryDirectory() as root:
        # No plan comes from an earlier run. The resumed training compiles the programs of the
        # killed one, which JAX caches if the folder is set before its import.
        os.environ |= {
            "AE_MULTI_CACHE": root,
            "JAX_COMPILATION_CACHE_DIR": str(Path(root) / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        }
        _import_all()
        expected = in_fork(lambda on_start: train())[0]["digest"]
        lengths = {every: _measure(root, every, expected) for every in EVERY}
        emit({"event": "ready"})
        numbers = range(job["first"], job["first"] + job["moments"])
        for number, found in _in_parallel(
            lambda number: _case(root, job["seed"], number, lengths, expected),
            numbers,
            job["at_once"],
        ):
            emit({"event": "moment", "number": number, **found})


def _import_all():
    """Import what a training needs without computing, since threads do not survive a fork."""
    from ae_multi import backends

    backends.current()


def _measure(root, every, expected):
    """Return (seconds of a training, number of system calls of its checkpoints)."""

    def counted(on_start):
        calls = Calls()
        return {**train(Path(root) / every, every, on_start=on_start), "calls": calls.count}

    found, seconds = in_fork(counted)
    if found["digest"] != expected:
        raise RuntimeError(
            f"Expected a training with a checkpoint every {every} to end as one without. "
            "Received: different results."
        )
    return seconds, found["calls"]


def _in_parallel(function, numbers, at_once):
    """Yield (number, function(number)) in order, with ``at_once`` calls in parallel threads."""
    from concurrent.futures import ThreadPoolExecutor

    # The threads only wait for processes.
    with ThreadPoolExecutor(at_once) as pool:
        yield from zip(numbers, pool.map(function, numbers), strict=True)


def _case(root, seed, number, lengths, expected):
    """Kill one training at a random moment, and resume it.

    Returns:
        Dict of values for JSON: ``kind``, ``every``, ``at``, ``written`` (position of the last
        checkpoint, or None), ``resumed`` (position it resumed from, or None), ``ended_before``
        (whether the training ended before the kill) and ``fault`` (description, or None).
    """
    random = np.random.default_rng([seed, number])
    every = EVERY[number // 2 % 2]
    seconds, calls = lengths[every]
    folder, note = Path(root) / str(number), Path(root) / f"{number}.written"
    by_call = number % 2 == 1
    at = int(random.integers(calls)) if by_call else float(random.uniform(0, seconds))
    after = bool(random.integers(2))

    def killed(on_start):
        _record_checkpoints(note)
        if by_call:
            Calls(at, after)
        return train(folder, every, on_start=on_start)

    ended = in_fork(killed, None if by_call else at)[0] is not None
    written = note.read_text().splitlines() if note.exists() else []
    found = in_fork(lambda on_start: train(folder, every, resume=True))[0]
    temporary = [path.name for path in folder.glob(".*")]
    shutil.rmtree(folder)
    last = [int(part) for part in written[-1].split()] if written else None
    faults = [
        (found["digest"] != expected, "its results differ from an uninterrupted training's"),
        (
            last is not None and (found["resumed"] or [0, 0]) < last,
            f"it resumed from {found['resumed']}, before the last checkpoint {last}",
        ),
        (bool(temporary), f"it left temporary files: {temporary}"),
        (by_call and ended, "it was not killed"),
    ]
    return {
        "kind": "while writing" if by_call else "by the clock",
        "every": every,
        "at": at,
        "written": last,
        "resumed": found["resumed"],
        "ended_before": ended,
        "fault": next((description for occurred, description in faults if occurred), None),
    }


def _record_checkpoints(note):
    """Append the position of each checkpoint to the file ``note`` once it is written."""
    from ae_multi.checkpoints import Folder

    real, file = Folder.write, os.open(note, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def write(self, place, manifest, parts):
        real(self, place, manifest, parts)
        os.write(file, f"{place.epoch} {place.step}\n".encode())

    Folder.write = write
