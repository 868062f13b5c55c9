"""Perturbations of gradients by rounding."""

import numpy as np
import pytest

from ae_multi.parity.perturbation import optimizer_roundoff, perturb_gradients

pytestmark = pytest.mark.backend


def test_gradients_are_perturbed_by_rounding_and_none_stays_none(keras):
    used, unused = keras.Variable(np.zeros(64, np.float32)), keras.Variable([3.0])
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([used, unused])
    perturb_gradients(optimizer, seed=0, run=1, amplitudes=[10 * 2.0**-24] * 2)
    gradient = keras.ops.convert_to_tensor(np.linspace(0.5, 1, 64, dtype=np.float32))
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([gradient, None], [used, unused])
    moved = -keras.ops.convert_to_numpy(used) - np.linspace(0.5, 1, 64)
    # The amplitude, 10 · 2⁻²⁴, times the largest gradient, which is 1.
    np.testing.assert_allclose(abs(moved), 10 * 2.0**-24, rtol=0.2)
    assert 10 < (moved > 0).sum() < 54
    assert keras.ops.convert_to_numpy(unused).tolist() == [3.0]


def test_signs_differ_between_runs_and_steps(keras):
    gradient = keras.ops.convert_to_tensor(np.ones(64, np.float32))
    seen = []
    for run in range(2):
        weight = keras.Variable(np.zeros(64, np.float32))
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([weight])
        perturb_gradients(optimizer, seed=0, run=run, amplitudes=[10 * 2.0**-24])
        for _ in range(2):
            weight.assign(np.zeros(64, np.float32))
            optimizer.apply([gradient], [weight])
            seen.append(keras.ops.convert_to_numpy(weight) < -1)
    assert all(16 < coins.sum() < 48 for coins in seen)
    assert len({coins.tobytes() for coins in seen}) == 4


def test_perturbation_without_amplitude_changes_nothing(keras):
    start = np.linspace(-1, 1, 64, dtype=np.float32)
    ends = []
    for perturbed in (True, False):
        weight = keras.Variable(start)
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build([weight])
        if perturbed:
            perturb_gradients(optimizer, seed=0)
        for _ in range(2):
            optimizer.apply([keras.ops.convert_to_tensor(start**3)], [weight])
        ends.append(keras.ops.convert_to_numpy(weight))
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("value", [1e-4, 30.0])
def test_scalar_gradient_is_perturbed_relative_to_itself(keras, value):
    weight = keras.Variable(np.float32(0))
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([weight])
    perturb_gradients(optimizer, seed=0, run=1, amplitudes=[1e-3])
    optimizer.apply([keras.ops.convert_to_tensor(np.float32(value))], [weight])
    moved = -float(keras.ops.convert_to_numpy(weight)) / value - 1
    assert abs(moved) == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda optimizers: optimizers.Adam(beta_2=0.99), 2.0**-24 / 0.01),
        (lambda optimizers: optimizers.LossScaleOptimizer(optimizers.Adam()), 2.0**-24 / 0.001),
        (lambda optimizers: optimizers.Lion(), 0.0),
        (lambda optimizers: optimizers.Adamax(), 0.0),
        (lambda optimizers: optimizers.SGD(), 0.0),
    ],
)
def test_optimizer_roundoff_is_that_of_its_bias_correction(keras, make, expected):
    assert optimizer_roundoff(make(keras.optimizers)) == pytest.approx(expected)
