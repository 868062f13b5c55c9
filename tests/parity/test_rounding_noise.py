"""Perturbations of trainings by rounding."""

import numpy as np
import pytest

from ae_multi.parity.rounding_noise import perturb_training

pytestmark = pytest.mark.backend


def test_each_element_is_perturbed_relative_to_itself(keras):
    gradient = np.array([0.0, *np.geomspace(1e-6, 1, 63)], np.float32)
    seen = []
    for run in (1, 2):
        weight = keras.Variable(np.zeros(64, np.float32))
        optimizer = keras.optimizers.SGD(1.0)
        optimizer.build([weight])
        perturb_training(optimizer, seed=0, run=run, terms=2**20)
        for _ in range(2):
            weight.assign(np.zeros(64, np.float32))
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [weight])
            moved = -keras.ops.convert_to_numpy(weight).astype(np.float64) - gradient
            # √terms · 2⁻²⁴ = 2⁻¹⁴ of each element, so a zero stays zero.
            np.testing.assert_allclose(abs(moved), 2.0**-14 * gradient, rtol=0.01)
            seen.append(moved > 0)
    assert all(16 < coins.sum() < 48 for coins in seen)
    assert len({coins.tobytes() for coins in seen}) == 4


def test_learning_rate_is_perturbed_by_the_roundoff_of_the_constants_of_adam(keras):
    rates = []
    for run in (1, 2):
        optimizer = keras.optimizers.Adam(1.0)
        perturb_training(optimizer, seed=0, run=run, terms=0)
        rates.append(float(keras.ops.convert_to_numpy(optimizer.learning_rate)))
    np.testing.assert_allclose(
        np.array(rates) - 1, [-(2.0**-26) / 0.001, 2.0**-26 / 0.001], rtol=0.01
    )
