"""Fit of estimators to sources, compared with arrays in memory."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators import source_fit

pytestmark = [pytest.mark.backend, pytest.mark.once]

X = np.random.default_rng(0).normal(size=(90, 6)).astype(np.float32)
SETTINGS = {"epochs": 2, "batch_size": 16, "random_state": 3}


@pytest.fixture
def path(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(source_fit, "_CHECKED_BYTES", 20 * 8 * X.shape[1])  # chunks of 20 rows
    return tmp_path / "x.npy"


@pytest.mark.parametrize("kind", ["detector", "transformer"])
def test_fit_to_a_source_equals_fit_to_an_array(path, kind):
    classes = {
        "detector": lambda: ae_multi.AnomalyDetector(criterion="mse", **SETTINGS),
        "transformer": lambda: ae_multi.AutoencoderTransformer(**SETTINGS),
    }
    resident = classes[kind]().fit(X)
    windowed = classes[kind]().fit(ae_multi.source(path))
    assert windowed.n_features_in_ == 6
    assert windowed.n_samples_seen_ == 90
    np.testing.assert_allclose(windowed.loss_curve_, resident.loss_curve_, rtol=1e-5)
    weights = zip(windowed.network_.weights, resident.network_.weights, strict=True)
    for one, other in weights:
        np.testing.assert_allclose(np.asarray(one.numpy()), other.numpy(), rtol=1e-3, atol=1e-5)
    if kind == "detector":
        np.testing.assert_allclose(windowed.offset_, resident.offset_, rtol=1e-4)


def test_the_combined_score_is_fitted_to_a_source(path):
    detector = ae_multi.AnomalyDetector(**SETTINGS).fit(ae_multi.source(path))
    assert np.isfinite(detector.anomaly_score(X)).all()
    assert (detector.predict(X) == 1).mean() > 0.8


def test_what_holds_samples_out_is_refused(path):
    detector = ae_multi.AnomalyDetector(early_stopping=True, **SETTINGS)
    with pytest.raises(InputError, match=r"without y.*Received: early_stopping\. Use fit_chunks"):
        detector.fit(ae_multi.source(path))


def test_a_nan_is_named_with_its_place(path):
    x = X.copy()
    x[50, 2] = np.nan
    np.save(path, x)
    with pytest.raises(InputError, match=r"nan in x\.npy, row 50, at the index \[2\]"):
        ae_multi.AnomalyDetector(**SETTINGS).fit(ae_multi.source(path))


@pytest.mark.parametrize("bad", [0, 1, 7, 83])
def test_a_value_of_an_image_that_is_not_finite_is_named_with_its_place(path, bad):
    images = X.reshape(-1, 2, 3).copy()
    images[bad, 1, 1] = np.inf
    np.save(path, images)
    place = rf"x\.npy, row {bad}, at the index \[1, 1\]"
    with pytest.raises(InputError, match=f"finite numbers.*Received: inf in {place}"):
        ae_multi.AnomalyDetector(**SETTINGS).fit(ae_multi.source(path))
