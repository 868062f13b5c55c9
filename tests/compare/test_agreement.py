"""The verdict of a comparison and its reasons."""

import copy
import math

import numpy as np
import pytest

from ae_multi.compare.agreement import agreement, relative_difference
from ae_multi.parity.ulp import perturb_by_ulp


def result(backend, **changes):
    return {
        "backend": backend,
        "plan": "graph",
        "initial_weights_sha256": "ab",
        "first_losses": [0.5, 0.4, 0.3],
        "test_mse": 0.02,
        "perturbed_test_mse": [],
        **changes,
    }


@pytest.fixture
def backend_results():
    """Return results of three backends that agree; the repetitions on jax differ by 1 %."""
    return [
        result("torch", test_mse=0.0201),
        result("tensorflow", first_losses=[0.5, 0.4 * (1 + 2e-7), 0.3]),
        result("jax", plan="scan", perturbed_test_mse=[0.0199, 0.0200, 0.0201]),
    ]


def test_results_that_differ_by_rounding_agree(backend_results):
    found = agreement(backend_results)
    assert found["verdict"] == "agree"
    assert found["reasons"] == []
    assert found["first_losses_difference"] == pytest.approx(2e-7, rel=1e-3)
    assert found["test_mse_difference"] == pytest.approx(0.005)
    assert found["spread"] == {
        "backend": "jax",
        "plan": "scan",
        "runs": 3,
        "mean": pytest.approx(0.02),
        "deviation": pytest.approx(0.005),
    }
    # t of 2 degrees of freedom at 1 - 5e-5 is 99.99, from a table.
    assert found["test_mse_bound"] == pytest.approx(99.99 * 0.005 * np.sqrt(4 / 3), rel=1e-3)


@pytest.mark.parametrize(
    ("index", "changes", "reason"),
    [
        (0, {"initial_weights_sha256": "cd"}, "initial weights differ"),
        (1, {"first_losses": [0.5, 0.4, 0.3 * (1 + 2e-5)]}, "2.0e-05 at step 3, beyond 2e-06"),
        (1, {"first_losses": [0.5, math.nan, 0.3]}, "inf at step 2"),
        (0, {"test_mse": 0.034}, "final test MSE differs by 7.0e-01, beyond 5.8e-01"),
        (0, {"test_mse": math.nan}, "not finite"),
        (2, {"test_mse": math.inf}, "not finite"),
    ],
    ids=["weights", "step", "nan", "mse", "nan mse", "inf mse"],
)
def test_results_beyond_the_bounds_differ(backend_results, index, changes, reason):
    results = copy.deepcopy(backend_results)
    results[index].update(changes)
    found = agreement(results)
    assert found["verdict"] == "differ"
    assert reason in " ".join(found["reasons"])


def test_bound_is_proportional_to_the_spread_of_the_repetitions(backend_results):
    results = copy.deepcopy(backend_results)
    results[0]["test_mse"] = 0.02 * (1 + 2e-5)
    results[2]["perturbed_test_mse"] = [0.02 * (1 + k * 1e-6) for k in (1, -1, 2, -2, 1, -1)]
    assert agreement(results)["test_mse_bound"] == pytest.approx(1.9e-5, rel=0.05)
    assert agreement(results)["verdict"] == "differ"
    results[2]["perturbed_test_mse"] = [0.02 * (1 + k * 2e-6) for k in (1, -1, 2, -2, 1, -1)]
    assert agreement(results)["verdict"] == "agree"


def test_bound_is_none_after_diverged_repetitions(backend_results):
    results = copy.deepcopy(backend_results)
    results[2]["perturbed_test_mse"] = [0.02, math.nan, 0.02]
    assert agreement(results)["test_mse_bound"] is None


def test_final_mse_is_not_compared_without_a_spread(backend_results):
    results = [*backend_results[:2], result("jax", test_mse=0.04)]
    found = agreement(results)
    assert found["verdict"] == "agree"
    assert found["test_mse_bound"] is None
    assert found["spread"] is None


def test_verdict_of_one_backend_is_one_backend(backend_results):
    assert agreement(backend_results[:1])["verdict"] == "one backend"


def test_relative_difference_is_symmetric_and_defined_for_zero_and_infinity():
    assert relative_difference(2.0, 1.0) == relative_difference(1.0, 2.0) == 0.5
    assert relative_difference(0.0, 0.0) == 0
    assert relative_difference(math.inf, math.inf) == math.inf


def test_perturbation_changes_each_weight_by_one_ulp():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(50, 40)).astype(np.float32), np.zeros(7, np.float32)]
    perturbed = perturb_by_ulp(weights, 0, 1)
    for before, after in zip(weights, perturbed, strict=True):
        assert after.dtype == np.float32
        # The bit patterns of adjacent floats of one sign are adjacent integers.
        magnitudes = [array.view(np.int32) & 0x7FFFFFFF for array in (before, after)]
        np.testing.assert_array_equal(abs(magnitudes[1] - magnitudes[0]), 1)
    increased = np.mean(perturbed[0] > weights[0])
    assert 0.45 < increased < 0.55
    assert (perturb_by_ulp(weights, 0, 2)[0] != perturbed[0]).mean() > 0.4
    np.testing.assert_array_equal(perturb_by_ulp(weights, 0, 1)[0], perturbed[0])
