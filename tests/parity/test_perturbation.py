"""Perturbations of gradients by rounding."""

import numpy as np
import pytest

from ae_multi.parity.perturbation import perturb_gradients

pytestmark = pytest.mark.backend


def test_gradients_are_perturbed_by_rounding_and_none_is_kept(keras):
    used, unused = keras.Variable(np.zeros(64, np.float32)), keras.Variable([3.0])
    optimizer = keras.optimizers.SGD(1.0)
    optimizer.build([used, unused])
    perturb_gradients(optimizer, seed=0, run=1, amplitudes=[10 * 2.0**-24] * 2)
    gradient = keras.ops.convert_to_tensor(np.linspace(0.5, 1, 64, dtype=np.float32))
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        optimizer.apply([gradient, None], [used, unused])
    moved = -keras.ops.convert_to_numpy(used) - np.linspace(0.5, 1, 64)
    # ± √100 terms times half a unit in the last place of the largest.
    np.testing.assert_allclose(abs(moved), 10 * 2.0**-24, rtol=0.2)
    assert 10 < (moved > 0).sum() < 54
    assert keras.ops.convert_to_numpy(unused).tolist() == [3.0]


def test_each_run_and_step_has_its_own_signs(keras):
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
