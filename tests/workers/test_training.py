"""Trainings of two workers have the results of one process."""

import numpy as np
import pytest

from tests.workers.processes import run_workers

pytestmark = [pytest.mark.backend, pytest.mark.slow]

# The last batch of 10 samples is smaller than the others, of 20.
EQUAL = {
    "dense": {"model": "dense", "hooks": True, "samples": 70, "epochs": 5},
    "runs of many steps": {"model": "dense", "samples": 70, "epochs": 5, "fit": {"verbose": 2}},
    "batch normalization": {"model": "batch_norm", "hooks": True},
    "KL sparsity": {"model": "kl", "hooks": True},
    "denoising": {"model": "denoising", "hooks": True, "samples": 70},
    "dropout": {"model": "dropout", "hooks": True, "samples": 70},
    "dropout of Keras": {"model": "keras_dropout", "hooks": True},
    "noise of Keras": {"model": "keras_noise", "hooks": True},
}
REFUSED = {
    "sum": ({"model": "sum"}, "complete batch", "reduction='sum'"),
    "weighted mean": ({"model": "mean_with_sample_weight"}, "complete batch", "sample weights"),
    "mixing": ({"model": "mixing"}, "complete batch", "mixes the samples"),
    "batch size": ({"model": "dense", "batch_size": 25}, "24 or 26", "Received: 25"),
    "custom step": ({"model": "custom_step"}, "train_step", "single process"),
    "samples": ({"model": "dense", "shorter": 20}, "same arguments", "60 on worker 0, 40 on"),
    "plan": ({"model": "dense", "fit": {"plan": "none"}}, "plan", "group of workers"),
    "keras": ({"model": "dense", "fit": {"plan": "keras"}}, "plan='keras'", "single process"),
}
# Only worker 0 stops the training, and only worker 1 receives Ctrl-C.
SHARED = {
    "stopped": {"model": "dense", "hooks": True, "at": {"stop": [0, 2]}},
    "not stopped": {"model": "dense", "hooks": True, "at": {"stop": [1, 2]}},
    "interrupted": {"model": "dense", "hooks": True, "at": {"interrupt": [1, 2]}},
    "unseeded": {"model": "unseeded", "epochs": 1},
    "hooks of worker 0": {"model": "dense", "hooks": 0, "samples": 70, "epochs": 1},
    "hooks of worker 1": {"model": "dense", "hooks": 1, "samples": 70, "epochs": 1},
}


@pytest.fixture(scope="module")
def one():
    """Return the results of one process."""
    (result,) = run_workers(1, EQUAL)
    assert result["code"] == 0, result["log"]
    return result


@pytest.fixture(scope="module")
def two():
    """Return the results of two workers."""
    job = EQUAL | {name: settings for name, (settings, *_) in REFUSED.items()} | SHARED
    results = run_workers(2, job)
    for result in results:
        assert result["code"] == 0, result["log"]
    return results


@pytest.mark.parametrize("name", EQUAL)
def test_losses_and_metrics_are_those_of_one_process(name, one, two):
    for worker in two:
        assert "error" not in worker[name], worker[name]
        np.testing.assert_allclose(worker[name]["losses"], one[name]["losses"], rtol=1e-5)
        for key, values in one[name]["history"].items():
            np.testing.assert_allclose(worker[name]["history"][key], values, rtol=1e-5)


@pytest.mark.parametrize("name", [*EQUAL, "unseeded", "stopped"])
def test_variables_of_all_workers_have_the_same_bits(name, two):
    assert two[0][name]["sha256"] == two[1][name]["sha256"]


@pytest.mark.parametrize("name", ["dense", "runs of many steps", "KL sparsity", "denoising"])
def test_weights_are_those_of_one_process(name, one, two):
    for weight, expected in zip(two[0][name]["weights"], one[name]["weights"], strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_training_that_cannot_be_split_is_refused_by_all_workers(name, two):
    for worker in two:
        assert worker[name]["error"] == "InputError"
        for text in REFUSED[name][1:]:
            assert text in worker[name]["message"]


def test_worker_0_decides_when_the_training_stops(two):
    for worker in two:
        assert len(worker["stopped"]["losses"]) == 2
        assert len(worker["not stopped"]["losses"]) == 6


@pytest.mark.parametrize("rank", [0, 1])
def test_batch_hooks_of_one_worker_alone_are_called_at_each_step(rank, two):
    name = f"hooks of worker {rank}"
    assert len(two[rank][name]["losses"]) == 4
    assert len(two[1 - rank][name]["losses"]) == 1
    assert two[0][name]["sha256"] == two[1][name]["sha256"]


def test_interrupt_of_one_worker_ends_all(two):
    assert [worker["interrupted"]["error"] for worker in two] == ["KeyboardInterrupt"] * 2


def test_only_worker_0_prints_the_progress(two):
    assert "Epoch 5/5" in two[0]["log"]
    assert "Epoch" not in two[1]["log"]
