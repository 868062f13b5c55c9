"""The score of the anomaly detector: its formula and its properties."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ae_multi
from ae_multi.estimators import neighbors, scores

pytestmark = [pytest.mark.backend, pytest.mark.once]


def reference_errors(samples, outputs, known, count, weight, images):
    """Return the terms of the score in float64, computed sample by sample."""

    def flat(values):
        rows = np.asarray(values, float).reshape(len(values), -1)
        if images:
            rows = rows / np.sqrt(np.mean(rows**2, axis=1, keepdims=True))
        return rows

    x, o, known = flat(samples), flat(outputs), flat(known)
    errors = np.empty_like(x)
    for row in range(len(x)):
        order = np.argsort([np.sum((o[row] - each) ** 2) for each in known])
        nearest = known[order[1 : count + 1]]
        distances = np.mean((o[row] - nearest) ** 2, axis=0)
        errors[row] = (x[row] - o[row]) ** 2 + weight * distances
    return errors.reshape(np.shape(samples))


@pytest.mark.parametrize("shape", [(7,), (3, 4), (3, 4, 2)], ids=str)
@pytest.mark.parametrize("values", [2**24, 50, 1])  # blocks of all rows, of several and of one
def test_manifold_errors_equal_their_formula(shape, values, monkeypatch):
    monkeypatch.setattr(neighbors, "_MAX_VALUES_AT_ONCE", values)
    rng = np.random.default_rng(0)
    x, o, known = (rng.random((count, *shape), np.float32) for count in (9, 9, 12))
    found = scores.manifold_errors(x, o, known, 4, 1.5)
    assert found.dtype == np.float32
    expected = reference_errors(x, o, known, 4, 1.5, images=len(shape) > 1)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-7)


def line(low, high, count, seed):
    """Return points (count, 3) close to a line through the origin."""
    rng = np.random.default_rng(seed)
    position = rng.uniform(low, high, (count, 1))
    return np.hstack([position, 2 * position, -position]) + rng.normal(0, 0.01, (count, 3))


def fitted_on_a_line(**parameters):
    """Return a linear detector fitted on two segments, which reconstructs the complete line."""
    detector = ae_multi.AnomalyDetector(
        hidden=(), latent_dim=1, scale="standard", epochs=150, learning_rate=0.01, **parameters
    )
    return detector.fit(np.vstack([line(-2, -1, 300, 0), line(1, 2, 300, 1)]))


def test_well_reconstructed_but_unseen_samples_are_anomalous():
    normal = np.vstack([line(-2, -1, 50, 2), line(1, 2, 50, 3)])
    x = np.vstack([normal, line(-0.1, 0.1, 50, 4), line(6, 7, 50, 5)])
    anomalous = np.repeat([0, 1], [100, 100])
    mse_detector, detector = (
        fitted_on_a_line(criterion="mse"),
        fitted_on_a_line(criterion="manifold"),
    )
    assert roc_auc_score(anomalous[:150], mse_detector.anomaly_score(x[:150])) < 0.8
    assert roc_auc_score(anomalous, detector.anomaly_score(x)) > 0.99
    # Points off the line, at the same distance from the origin.
    shifted = normal + np.array([0.3, 0, 0.3])
    assert roc_auc_score(anomalous, detector.anomaly_score(np.vstack([normal, shifted]))) > 0.9


def test_mse_criterion_equals_the_reconstruction_error():
    detector = fitted_on_a_line(criterion="mse")
    x = line(0, 1, 20, 6)
    reducer = ae_multi.AutoencoderTransformer(
        hidden=(), latent_dim=1, scale="standard", epochs=150, batch_size=128, learning_rate=0.01
    ).fit(np.vstack([line(-2, -1, 300, 0), line(1, 2, 300, 1)]))
    np.testing.assert_array_equal(detector.score_samples(x), reducer.score_samples(x))
    assert detector.codes_ is None


def test_scores_of_images_are_invariant_to_brightness():
    rng = np.random.default_rng(0)
    x, o, known = (rng.random((count, 3, 4), np.float32) for count in (5, 5, 12))
    bright = scores.manifold_errors(x, o, known, 4)
    dark = scores.manifold_errors(x * np.float32(0.2), o * np.float32(0.3), known, 4)
    np.testing.assert_allclose(dark, bright, rtol=1e-4, atol=1e-6)
    assert np.isfinite(scores.manifold_errors(np.zeros_like(x), o, known, 4)).all()
    rows = [values.reshape(len(values), 12) for values in (x, o, known)]
    bright = scores.manifold_errors(*rows, 4)
    assert np.abs(scores.manifold_errors(rows[0] / 2, *rows[1:], 4) - bright).max() > 0.1


def test_codes_are_set_by_fit_fit_chunks_and_partial_fit(tmp_path):
    x = line(-1, 1, 300, 0)
    parameters = {"model": "simple", "criterion": "manifold", "latent_dim": 2, "epochs": 3}
    fitted = ae_multi.AnomalyDetector(**parameters).fit(x)
    assert fitted.codes_.shape == (300, 2)
    chunked = ae_multi.AnomalyDetector(**parameters).fit_chunks([x[:200], x[200:]])
    assert chunked.codes_.shape == (300, 2)
    chunked.partial_fit(x[:40])
    assert chunked.codes_.shape == (40, 2)
    before = chunked.score_samples(x)
    chunked.save(tmp_path / "line.ae")
    loaded = ae_multi.load_estimator(tmp_path / "line.ae")
    np.testing.assert_array_equal(loaded.score_samples(x), before)
    assert np.isfinite(chunked.partial_fit(x[:1]).score_samples(x)).all()


def test_neighbors_and_weight_have_other_defaults_for_images_than_for_tables():
    x = np.random.default_rng(0).random((40, 3, 4), np.float32)
    rows = x.reshape(40, 12)
    parameters = {"model": "simple", "criterion": "manifold", "epochs": 1}
    for samples, expected in ((x, (3, 2.0)), (rows, (4, 1.0))):
        detector = ae_multi.AnomalyDetector(**parameters).fit(samples)
        assert (detector.neighbors_, detector.weight_) == expected
        assert detector.feature_errors(samples) == approx_errors(detector, samples, *expected)
    detector = ae_multi.AnomalyDetector(**parameters, neighbors=5, weight=0.5).fit(x)
    assert (detector.neighbors_, detector.weight_) == (5, 0.5)
    assert detector.feature_errors(x) == approx_errors(detector, x, 5, 0.5)
    # Files of older versions lack these attributes.
    del detector.neighbors_, detector.weight_
    detector.set_params(neighbors="auto")
    assert detector.feature_errors(x) == approx_errors(detector, x, 10, 1)


def approx_errors(detector, x, count, weight):
    scaled, network = detector._checked(x), detector.network_
    outputs, known = network.predict(scaled, verbose=0), network.decoder.predict(detector.codes_)
    expected = reference_errors(scaled, outputs, known, count, weight, images=x.ndim > 2)
    return pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_codes_exclude_held_out_samples():
    x = line(-1, 1, 300, 0)
    parameters = {"contamination": "held_out", "epochs": 2}
    detector = ae_multi.AnomalyDetector("simple", criterion="manifold", **parameters).fit(x)
    assert len(detector.codes_) == 270
    detector = ae_multi.AnomalyDetector("simple", **parameters).fit(x)
    assert len(detector.score_constants_["rows"]) == 270
