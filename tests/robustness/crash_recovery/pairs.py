"""Trainings killed on one backend and resumed on another: compare the next losses."""

import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from ae_multi.subprocesses.launcher import run as run_process
from tests.robustness.crash_recovery.forks import in_fork

# A checkpoint in the middle of the third epoch of 12 steps, resumed into the fifth.
AT, STEPS, EPOCHS, BATCH = 30, 20, 6, 128
BOUND = 1e-5
_TIMEOUT = 300  # seconds to wait for another backend


def compare(pythons, root):
    """Compare the losses after a kill, on each backend from each backend's checkpoint.

    Args:
        pythons: dict of backend to interpreter.
        root: folder for the checkpoints.

    Returns:
        Dict of (from, to), two backends, to the largest relative difference between the next
        `STEPS` losses of ``to`` and those of ``from`` itself, both from the checkpoint of ``from``.
    """

    def losses(backend):
        job = {
            "run": "tests.robustness.crash_recovery.pairs:run",
            "root": str(root),
            "me": backend,
            "all": [*pythons],
        }
        events = run_process(pythons[backend], backend, job)
        return {event["begun_on"]: np.array(event["losses"]) for event in events}

    with ThreadPoolExecutor(len(pythons)) as pool:
        found = dict(zip(pythons, pool.map(losses, pythons), strict=True))
    return {
        (begun, other): float(np.max(np.abs(found[other][begun] / found[begun][begun] - 1)))
        for begun in pythons
        for other in pythons
        if other != begun
    }


def run(job, emit):
    """Train on this backend until killed, then resume from the checkpoints of all backends."""
    import ae_multi.training  # noqa: F401  # import before a fork, without computing
    from ae_multi import backends

    backends.current()
    root, me = Path(job["root"]), job["me"]
    in_fork(lambda on_start: _begin(root / me))
    (root / f"{me}.done").touch()
    for other in [me, *(name for name in job["all"] if name != me)]:
        _wait_for(root / f"{other}.done")
        mine = shutil.copytree(root / other, root / f"{other}-on-{me}")
        losses = in_fork(lambda on_start, folder=mine: _resume(folder))[0]
        emit({"event": "losses", "begun_on": other, "losses": losses})


def _begin(folder):
    """Train, and kill this process once the first checkpoint is written."""
    from ae_multi.checkpoints import Folder

    real = Folder.write

    def write(*arguments):
        real(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    Folder.write = write
    _fit(folder, [])


def _resume(folder):
    """Resume from a checkpoint; return the next `STEPS` losses."""
    from ae_multi._keras import keras

    losses = []

    class Losses(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            self.model.reset_metrics()  # so that the loss is that of one step

        def on_train_batch_end(self, batch, logs=None):
            losses.append(float(logs["loss"]))
            self.model.stop_training = len(losses) == STEPS

    resumed = _fit(folder, [Losses()], resume=True)
    position = (AT // 12, AT % 12)
    if resumed != position:
        raise RuntimeError(f"Expected to resume from {position}. Received: {resumed}.")
    return losses


def _fit(folder, callbacks, resume=False):
    import ae_multi

    x = ae_multi.load_data("digits").x_train
    model = ae_multi.DeepAutoencoder(seed=0)
    model.compile()
    return model.fit(
        x,
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
        callbacks=callbacks,
        checkpoint=folder,
        checkpoint_every=f"{AT} steps",
        resume=resume,
    ).resumed_from


def _wait_for(path):
    end = time.monotonic() + _TIMEOUT
    while not path.exists():
        if time.monotonic() > end:
            raise RuntimeError(f"Expected {path.name} within {_TIMEOUT} s. Received: no file.")
        time.sleep(0.1)
