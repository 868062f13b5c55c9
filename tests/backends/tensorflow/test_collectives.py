"""Collectives and split steps of TensorFlow, in two processes."""

from pathlib import Path

import numpy as np
import pytest

from ae_multi.backend_selection import select_backend
from tests.workers import processes
from tests.workers.processes import run_workers

pytestmark = [pytest.mark.backend, pytest.mark.slow]

SIZE = 2
MODELS = ["dense", "batch_norm", "dropout", "embedding", "loss_scale"]
RUNS = [f"{name} loop" for name in MODELS]
RUNS += ["dense halves", "dense step", "batch_norm halves"]


@pytest.fixture(scope="module")
def results():
    """Return the results of both workers."""
    if select_backend() != "tensorflow":
        pytest.skip("tests the TensorFlow backend")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "SCRIPT", Path(__file__).with_name("collectives_worker.py"))
        found = run_workers(SIZE, {})
    for each in found:
        assert "lost" in each or "split" in each, each["log"]
    return found


def test_gather_returns_the_bytes_of_each_worker_in_the_order_of_ranks(results):
    sizes = 0, 1, 4, 7, 250
    expected = [[(bytes(range(n)) * (rank + 1)).hex() for rank in range(SIZE)] for n in sizes]
    assert [each["gathered"] for each in results] == [expected] * SIZE


def test_all_reduce_sums_tensors_of_several_dtypes(results):
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = [(3 * matrix).tolist(), 11, [1.0, 1.0, 1.0]]
    assert [each["reduced"]["sums"] for each in results] == [expected] * SIZE


def test_gradient_of_all_reduce_is_that_of_the_sum_of_all_losses(results):
    # The sum of losses is 1 |s|^2 + 2 |s|^2 + 2 sum(t) with the sums s and t over workers.
    matrix = np.array([[1.0, 2.0], [3.0, 4.0]])
    expected = [(2 * 3 * 3 * matrix).tolist(), [2.0, 2.0, 2.0]]
    assert [each["reduced"]["gradients"] for each in results] == [expected] * SIZE


def test_all_reduce_sends_one_message_for_each_dtype(results):
    # One for float32, one for int32, and one for the gradients.
    assert [each["reduced"]["messages"] for each in results] == [3] * SIZE


def test_concatenate_joins_rows_of_different_numbers(results):
    assert [each["joined"] for each in results] == [[[0, 0], [1, 1], [1, 1]]] * SIZE


def test_worker_sets_neither_a_strategy_nor_its_environment_variable(results):
    assert not any(each["has_strategy"] for each in results)


@pytest.mark.parametrize("run", RUNS)
def test_split_steps_equal_complete_ones(results, run):
    split, complete = results[0]["split"][run], results[0]["complete"][run.split()[0]]
    assert split["logs"].keys() == complete["logs"].keys() == {"loss", "mae"}
    for name, values in complete["logs"].items():
        np.testing.assert_allclose(split["logs"][name], values, rtol=1e-5, err_msg=name)
    for one, other in zip(split["weights"], complete["weights"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("run", RUNS)
def test_all_workers_hold_the_same_bits(results, run):
    assert results[0]["split"][run]["sha256"] == results[1]["split"][run]["sha256"]


def test_logs_that_are_no_metrics_are_refused(results):
    assert "Received: extra in one of them alone" in results[0]["refused"]


def test_lost_worker_ends_the_others_with_an_error_within_20_seconds(results):
    assert results[1]["code"] == -9
    seconds, message = results[0]["lost"]
    assert seconds < 20
    assert "A worker has ended, or has not answered in time" in message
