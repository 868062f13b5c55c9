"""Models compared with PCA and the mean: errors, and the warning for worse models."""

import numpy as np
import pytest

import ae_multi
from ae_multi.baselines import BaselineComparison, compare_with_pca
from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def curved():
    """Return points of a curve in [0, 1]⁶, shape (400, 6)."""
    t = np.random.default_rng(0).random((400, 1))
    return (0.5 + 0.4 * np.cos(3 * t + np.arange(6))).astype(np.float32)


@pytest.fixture(scope="module")
def trained(curved):
    """Return an autoencoder with one code, trained on the first 300 points."""
    model = ae_multi.DeepAutoencoder((16, 8), 1, (6,), seed=0)
    model.compile(optimizer=_adam(1e-2))
    model.fit(curved[:300], epochs=60, verbose=0, plan="keras")  # without compilation
    return model


def _adam(rate):
    from ae_multi._keras import keras

    return keras.optimizers.Adam(rate)


def _pca(train, test, components):
    """Return reconstructions of PCA in float64, by the singular value decomposition."""
    mean = train.mean(0, dtype=float)
    basis = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
    return mean + (test - mean) @ basis.T @ basis


def test_errors_equal_numpy(trained, curved):
    train, test = curved[:300], curved[300:]
    found = compare_with_pca(trained, train, test)
    expected = {
        "model_mse": trained.reconstruct(test).astype(float),
        "pca_mse": np.clip(_pca(train, test, 1), 0, 1),
        "mean_mse": train.mean(0, dtype=float),
    }
    for name, restored in expected.items():
        mse = np.mean((restored - test) ** 2)
        assert getattr(found, name) == pytest.approx(mse, rel=1e-5)
    assert found.model_mse < found.pca_mse / 2
    assert found.is_better
    lines = str(found).splitlines()
    assert [line.rsplit("  ", 1)[0].strip() for line in lines] == [
        "",
        "DeepAutoencoder",
        "PCA-1",
        "mean of the training data",
    ]
    assert lines[1].endswith(f" {found.model_mse:.5f}")
    assert len({len(line) for line in lines}) == 1
    assert str(found).isascii()


def test_model_worse_than_pca_gives_a_warning(curved):
    model = ae_multi.SimpleAutoencoder(2, (6,), seed=0)
    with pytest.warns(UserWarning, match=r"not better than 0\.\d+ of PCA-2"):
        found = ae_multi.compare_with_pca(model, curved[:300], curved[300:])
    assert not found.is_better


def test_diverged_model_is_not_better():
    assert not BaselineComparison("M", 2, float("nan"), 0.1, 0.2).is_better
    assert not BaselineComparison("M", 2, 0.15, 0.2, 0.1).is_better


def test_estimator_is_compared_in_the_units_of_the_table(curved):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(50 * curved.astype(float) - 20, columns=[*"abcdef"])
    reducer = ae_multi.AutoencoderTransformer(latent_dim=1, hidden=(8,), epochs=1, random_state=0)
    reducer.fit(frame[:300])
    with pytest.warns(UserWarning, match="AutoencoderTransformer"):
        found = compare_with_pca(reducer, frame[:300], frame[300:])
    table = frame.to_numpy()
    restored = np.asarray(reducer.reconstruct(frame[300:]), float)
    assert found.model_mse == pytest.approx(np.mean((restored - table[300:]) ** 2), rel=1e-4)
    expected = np.mean((_pca(table[:300], table[300:], 1) - table[300:]) ** 2)
    assert found.pca_mse == pytest.approx(expected, rel=1e-3)


def test_models_without_codes_are_refused(curved):
    network = ae_multi.SegmentationNetwork((2,), input_shape=(8, 8, 1))
    with pytest.raises(InputError, match=r"with a code, .* Received: SegmentationNetwork"):
        compare_with_pca(network, curved, curved)
    with pytest.raises(InputError, match=r"x_test of shape \(n, 6\)"):
        compare_with_pca(ae_multi.SimpleAutoencoder(2, (6,)), curved, curved[:, :5])
