"""Trainings killed at random moments; `nox -s kills` kills more of them."""

import sys

import pytest

from ae_multi.subprocesses.launcher import run
from tests.robustness.crash_recovery.pairs import BOUND, compare

MOMENTS = 8


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_killed_trainings_resume_bit_identically(backend):
    job = {
        "run": "tests.robustness.crash_recovery.cases:run",
        "seed": 0,
        "first": 0,
        "moments": MOMENTS,
        "at_once": 2,
    }
    found = [event for event in run(sys.executable, backend, job) if event["event"] == "moment"]
    assert len(found) == MOMENTS
    assert not [case for case in found if case["fault"]]
    # The moments are spread over the training.
    assert len({tuple(case["resumed"] or ()) for case in found}) > 2


@pytest.mark.across
@pytest.mark.slow
def test_checkpoint_of_one_backend_resumes_on_another(pythons, tmp_path):
    errors = compare(pythons, tmp_path)
    assert len(errors) == 6
    # Equal losses would mean that a backend was compared with itself.
    assert all(0 < error <= BOUND for error in errors.values()), errors
