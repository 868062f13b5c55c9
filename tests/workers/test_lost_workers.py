"""A worker that is killed ends the training, which resumes from its checkpoint."""

import shutil

import numpy as np
import pytest

from tests.workers.processes import run_workers

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
    for result in resumed:
        assert result["resumed"]["resumed"] == [1, 2], result["log"]
        assert result["resumed"]["sha256"] == killed[0]["unbroken"]["sha256"]


def test_training_resumes_with_another_number_of_workers(killed, folder):
    (result,) = run_workers(
        1, {"resumed": {**TRAINING, "fit": saved(folder / "copy", resume=True)}}
    )
    expected = killed[0]["unbroken"]
    assert result["resumed"]["resumed"] == [1, 2], result["log"]
    # Running means of the epoch begin at its first step.
    np.testing.assert_allclose(result["resumed"]["losses"], expected["losses"][6:], rtol=1e-5)
    for weight, other in zip(result["resumed"]["weights"], expected["weights"], strict=True):
        np.testing.assert_allclose(weight, other, rtol=1e-4, atol=1e-5)


def test_occupied_folder_is_refused_by_all_workers(resumed):
    for result in resumed:
        assert result["occupied"]["error"] == "InputError"
        assert "resume=True" in result["occupied"]["message"]
