"""The verdict: what passes, what does not, and what is said of it."""

import copy
import math

import numpy as np
import pytest

from ae_multi.parity.agreement import FIRST_STEPS_BOUND, agreement, relative_difference
from ae_multi.parity.ulp import nudged


def result(backend, **changes):
    return {
        "backend": backend,
        "initial_weights_sha256": "ab",
        "first_losses": [0.5, 0.4, 0.3],
        "test_mse": 0.02,
        "one_ulp_test_mse": [],
        **changes,
    }


@pytest.fixture
def three():
    """Three backends that agree: last digits differ, and jax measured a spread of 1 %."""
    return [
        result("torch", test_mse=0.0201),
        result("tensorflow", first_losses=[0.5, 0.4 * (1 + 2e-7), 0.3]),
        result("jax", one_ulp_test_mse=[0.0202, 0.0201]),
    ]


def test_rounding_agrees(three):
    found = agreement(three)
    assert found["verdict"] == "agree"
    assert found["reasons"] == []
    assert found["first_losses_difference"] == pytest.approx(2e-7, rel=1e-3)
    assert found["test_mse_difference"] == pytest.approx(0.0001 / 0.0201)
    assert found["one_ulp_spread"] == {
        "backend": "jax",
        "runs": 2,
        "relative": pytest.approx(0.0002 / 0.0202),
    }
    assert found["test_mse_bound"] == pytest.approx(3 * 0.0002 / 0.0202)


@pytest.mark.parametrize(
    ("place", "changes", "reason"),
    [
        (0, {"initial_weights_sha256": "cd"}, "initial weights differ"),
        (1, {"first_losses": [0.5, 0.4, 0.3 * (1 + 2e-5)]}, "2.0e-05 at step 3, beyond 1e-05"),
        (1, {"first_losses": [0.5, math.nan, 0.3]}, "inf at step 2"),
        (0, {"test_mse": 0.021}, "final test MSE differs by 4.8e-02, beyond 3.0e-02"),
        (0, {"test_mse": math.nan}, "not finite"),
        (2, {"test_mse": math.inf}, "not finite"),
    ],
    ids=["weights", "step", "nan", "mse", "nan mse", "inf mse"],
)
def test_a_real_difference_parts(three, place, changes, reason):
    results = copy.deepcopy(three)
    results[place].update(changes)
    found = agreement(results)
    assert found["verdict"] == "part"
    assert reason in " ".join(found["reasons"])


def test_a_training_without_chaos_is_held_to_rounding(three):
    results = copy.deepcopy(three)
    results[0]["test_mse"] = 0.02
    results[2]["one_ulp_test_mse"] = [0.02, 0.02]
    assert agreement(results)["test_mse_bound"] == FIRST_STEPS_BOUND
    assert agreement(results)["verdict"] == "agree"
    results[0]["test_mse"] = 0.02 * (1 + 2e-5)
    assert agreement(results)["verdict"] == "part"


def test_without_a_spread_the_final_mse_is_not_judged(three):
    results = [*three[:2], result("jax", test_mse=0.04)]
    found = agreement(results)
    assert found["verdict"] == "agree"
    assert found["test_mse_bound"] is None
    assert found["one_ulp_spread"] is None


def test_one_backend_has_nothing_to_agree_with(three):
    assert agreement(three[:1])["verdict"] == "one backend"


def test_relative_difference():
    assert relative_difference(2.0, 1.0) == relative_difference(1.0, 2.0) == 0.5
    assert relative_difference(0.0, 0.0) == 0
    assert relative_difference(math.inf, math.inf) == math.inf


def test_a_nudge_moves_each_weight_by_one_ulp():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(50, 40)).astype(np.float32), np.zeros(7, np.float32)]
    moved = nudged(weights, 0, 1)
    for before, after in zip(weights, moved, strict=True):
        assert after.dtype == np.float32
        # Neighbours of one sign have neighbouring magnitudes as integers.
        magnitudes = [array.view(np.int32) & 0x7FFFFFFF for array in (before, after)]
        np.testing.assert_array_equal(abs(magnitudes[1] - magnitudes[0]), 1)
    ups = np.mean(moved[0] > weights[0])
    assert 0.45 < ups < 0.55
    assert (nudged(weights, 0, 2)[0] != moved[0]).mean() > 0.4
    np.testing.assert_array_equal(nudged(weights, 0, 1)[0], moved[0])
