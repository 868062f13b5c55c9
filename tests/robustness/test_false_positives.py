"""The program that counts false positives; `nox -s alarms` runs it."""

import os

import numpy as np
import pytest

from tests.robustness.false_positives import comparisons
from tests.robustness.false_positives.__main__ import alarms_table, main
from tests.robustness.false_positives.cases import CASES, SAMPLES


@pytest.mark.parametrize("name", CASES)
def test_data_are_determined_by_the_seed(name):
    case = CASES[name]
    xs, ys = case.data(1)
    assert [x.shape for x in xs] == [(SAMPLES, *shape) for shape in case.shapes]
    for place, x in enumerate(xs):
        is_integer = place < len(case.words)
        assert x.dtype == (np.int32 if is_integer else np.float32)
        assert x.min() >= 0
        assert x.max() < (case.words[place] if is_integer else 1)
        np.testing.assert_array_equal(x, case.data(1)[0][place])
        assert not np.array_equal(x, case.data(2)[0][place])
    assert (ys is None) == (case.classes is None)
    if ys is not None:
        assert set(ys[0].ravel()) == set(range(case.classes))


def entry(error, name="dense"):
    bound = dict.fromkeys(error, 1e-6)
    return {"rung": "forward", "name": name, "error": error, "bound": bound}


def test_table_shows_the_layer_closest_to_its_bound():
    closest = [entry({"torch": 0.0, "jax": 1e-7}), entry({"torch": 3e-7, "jax": 2e-7}, "code")]
    run = {
        "model": "deep",
        "seed": 0,
        "parameters": 1234,
        "seconds": 1.0,
        "holds": True,
        "alarms": [],
    }
    table = alarms_table([{**run, "closest": closest}, {**run, "closest": [], "holds": False}])
    cells = [[str(cell) for cell in column.cells] for column in table.columns]
    assert [column[0] for column in cells] == [
        "deep",
        "0",
        "1,234",
        "1",
        "forward: code",
        "torch",
        "3.0e-07",
        "1.0e-06",
        "yes",
    ]
    assert [column[1] for column in cells][4:] == ["", "", "", "", "NO"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "0"], "runs to be an integer of at least 1"),
        (["--json", "/nowhere/a.json"], "is not a folder"),
        (["--backends", "theano"], "Received: 'theano'"),
    ],
)
def test_usage_errors_end_with_2(capsys, arguments, message):
    assert main([*arguments, "--first", "0"]) == 2
    assert message in capsys.readouterr().err


def test_table_of_comparisons_shows_conditions_and_verdict():
    found = {"first_losses_difference": 1e-7, "first_losses_bound": 2e-6, "verdict": "differ"}
    found |= {"test_mse_difference": 3e-5, "test_mse_bound": 1.2e-5}
    run = {"model": "simple", "seed": 2, "instructions": "SSE4", "threads": 1, **found}
    cells = [next(iter(column.cells)) for column in comparisons.comparisons_table([run]).columns]
    assert cells == ["simple", "2", "SSE4", "1", "1.0e-07 ≤ 2e-06", "3.0e-05 ≤ 1.2e-05", "differ"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "0"], "runs to be an integer of at least 1"),
        (["--json", "/nowhere/a.json"], "is not a folder"),
        (["--python=jax=python", "--backends", "jax"], "two backends or more, or --plans"),
    ],
)
def test_usage_errors_of_comparisons_end_with_2(capsys, arguments, message):
    assert comparisons.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="not on this system")
def test_environment_is_restored_after_a_run():
    before, allowed = dict(os.environ), len(os.sched_getaffinity(0))
    with comparisons._environment(comparisons.OLDER, 1):
        assert os.environ["ATEN_CPU_CAPABILITY"] == "default"
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert len(os.sched_getaffinity(0)) == 1
    assert dict(os.environ) == before
    assert len(os.sched_getaffinity(0)) == allowed
