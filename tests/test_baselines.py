"""PCA, the mean, the linear filter and thresholds against independent computations."""

import dataclasses

import numpy as np
import pytest

from ae_multi.baselines import LinearFilter, best_threshold, mean_baseline, otsu, pca_baselines
from ae_multi.data import load_data
from ae_multi.metrics import iou


def test_pca_equals_the_singular_value_decomposition(digits):
    train = digits.x_train.reshape(-1, 784).astype(np.float64)
    test = digits.x_test.reshape(-1, 784).astype(np.float64)
    mean = train.mean(0)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    baselines = pca_baselines(digits, [32, 9, 9])
    assert list(baselines) == [9, 32]
    for size, found in baselines.items():
        basis = directions[:size]
        restored = np.clip((test - mean) @ basis.T @ basis + mean, 0, 1)
        assert found == pytest.approx(np.mean((restored - test) ** 2), rel=1e-5)


def test_components_are_limited_by_the_samples(digits):
    few = dataclasses.replace(digits, x_train=digits.x_train[:5], y_train=digits.y_train[:5])
    assert pca_baselines(few, [9])[9] == pytest.approx(pca_baselines(few, [5])[5])


def test_mean_baseline_is_the_mse_of_the_mean_image(digits):
    expected = np.mean((digits.x_test - digits.x_train.mean(0)) ** 2)
    assert mean_baseline(digits) == pytest.approx(expected, rel=1e-5)


def test_baselines_of_mnist_have_known_values(mnist_folder):
    data = load_data("mnist", mnist_folder)
    baselines = pca_baselines(data, [9, 32])
    assert baselines[9] == pytest.approx(0.03449, abs=5e-6)
    assert baselines[32] == pytest.approx(0.01521, abs=5e-6)
    assert mean_baseline(data) == pytest.approx(0.06747, abs=5e-6)


def test_linear_filter_equals_least_squares():
    rng = np.random.default_rng(0)
    clean = rng.uniform(0.3, 0.7, (300, 3, 4))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    y, x = noisy.reshape(300, -1), clean.reshape(300, -1)
    columns = np.column_stack([y, np.ones(300)])
    expected = columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
    restored = LinearFilter(noisy, clean, penalty=1e-12)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # The penalty is equivalent to additional rows with target zero.
    centred = np.vstack([y - y.mean(axis=0), np.sqrt(300 * 0.05) * np.eye(12)])
    targets = np.vstack([x - x.mean(axis=0), np.zeros((12, 12))])
    expected = x.mean(axis=0) + (y - y.mean(axis=0)) @ np.linalg.lstsq(centred, targets)[0]
    restored = LinearFilter(noisy, clean, penalty=0.05)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # Few samples of pure noise need a large penalty.
    assert LinearFilter(rng.random((40, 30)), rng.random((40, 30))).penalty == 0.1


def test_otsu_maximizes_the_variance_between_classes():
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = np.round(np.r_[rng.normal(0.3, 0.1, 40), rng.normal(0.7, 0.2, 25)], 1)

        def variance_between(limit, values=values):
            low, high = values[values <= limit], values[values > limit]
            fraction = len(low) / len(values)
            return fraction * (1 - fraction) * (low.mean() - high.mean()) ** 2

        limits = np.unique(values)[:-1]
        largest = max(map(variance_between, limits))
        assert variance_between(otsu(values)) == pytest.approx(largest, rel=1e-9)
    assert not (np.full(9, 0.4) > otsu(np.full(9, 0.4))).any()
    assert iou(np.array([1, 1, 0, 0]) > 0, np.array([1, 0, 1, 0]) > 0) == pytest.approx(1 / 3)
    images = np.linspace(0, 1, 50).reshape(2, 5, 5)
    assert iou(images > best_threshold(images, images > 0.6), images > 0.6) == 1
