"""A worker that is killed ends the training, which resumes from its checkpoint."""

import json
import shutil
import time

import numpy as np
import pytest

from ae_multi.backend_selection import select_backend
from tests.workers.processes import result, run_workers, start_workers

pytestmark = [pytest.mark.backend, pytest.mark.slow]

TRAINING = {"model": "dropout", "hooks": True, "samples": 70, "epochs": 3}
MAX_SECONDS = 10


def saved(folder, **fit):
    return {"checkpoint": str(folder), "checkpoint_every": "2 steps", **fit}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.fixture(scope="module")
def killed(folder):
    """Return the results of an unbroken training, and of one whose worker 1 is killed."""
    job = {
        "unbroken": {**TRAINING, "fit": saved(folder / "unbroken")},
        "killed": {**TRAINING, "at": {"kill": [1, 7]}, "fit": saved(folder / "killed")},
    }
    results = run_workers(2, job)
    shutil.copytree(folder / "killed", folder / "copy")
    return results


def test_other_worker_ends_with_a_clear_error(killed):
    assert killed[1]["code"] == -9
    assert killed[0]["killed"]["error"] == "WorkerError", killed[0]["log"]
    assert "Expected all workers" in killed[0]["killed"]["message"]
    assert killed[0]["ended"] < MAX_SECONDS


@pytest.fixture(scope="module")
def resumed(killed, folder):
    """Return the results of two workers that resume, and that then use an occupied folder."""
    job = {
        "resumed": {**TRAINING, "fit": saved(folder / "killed", resume=True)},
        "occupied": {**TRAINING, "fit": saved(folder / "unbroken")},
    }
    return run_workers(2, job)


def test_resumed_training_equals_the_unbroken_one(killed, resumed):
    for worker in resumed:
        assert worker["resumed"]["resumed"] == [1, 2], worker["log"]
        assert worker["resumed"]["sha256"] == killed[0]["unbroken"]["sha256"]


def test_training_resumes_with_another_number_of_workers(killed, folder):
    (single,) = run_workers(
        1, {"resumed": {**TRAINING, "fit": saved(folder / "copy", resume=True)}}
    )
    expected = killed[0]["unbroken"]
    assert single["resumed"]["resumed"] == [1, 2], single["log"]
    np.testing.assert_allclose(single["resumed"]["losses"], expected["losses"][6:], rtol=1e-5)
    for weight, other in zip(single["resumed"]["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-5)


def test_occupied_folder_is_refused_by_all_workers(resumed):
    for worker in resumed:
        assert worker["occupied"]["error"] == "InputError"
        assert "resume=True" in worker["occupied"]["message"]


@pytest.mark.skipif(select_backend() != "torch", reason="other engines have no time-out of ours")
def test_worker_that_hangs_is_given_up_after_the_timeout(tmp_path):
    job = {"hanging": {**TRAINING, "at": {"hang": [1, 3]}}}
    first, second = start_workers(2, job, tmp_path, AE_MULTI_WORKER_TIMEOUT="10")
    try:
        begin = time.monotonic()
        first.wait(120)
        assert time.monotonic() - begin > 10
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    outcome = json.loads((tmp_path / result("", 0)).read_text())["hanging"]
    assert outcome["error"] == "WorkerError"
    assert "10000ms" in outcome["message"]
