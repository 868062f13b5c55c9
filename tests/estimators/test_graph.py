"""Graphs of estimators, as they are exported."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators.graph import graph_of

pytestmark = pytest.mark.backend


def graph_outputs(estimator, x, part="model"):
    """Return the outputs of the graph of an estimator, run by Keras: arrays by name."""
    return ae_multi.predict(graph_of(estimator, part).model, np.asarray(x, np.float32))


def table(samples=160):
    """Return rows along a curve, of different units, with a constant column and 8 anomalies."""
    random = np.random.default_rng(3)
    t = random.uniform(-1, 1, (samples, 1))
    x = np.hstack([1000 + 50 * t, t**2, np.full_like(t, 7), -3 * t])
    x[:, [0, 1, 3]] += random.normal(0, 0.05, (samples, 3))
    x[:8, 1] += random.uniform(2, 4, 8)
    return x.astype(np.float32)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": "standard", "criterion": "mse"},
        {"neighbors": 1},
        {"scale": "standard", "neighbors": 500},
        {"criterion": "manifold"},
        {"criterion": "manifold", "scale": "standard", "neighbors": 500},
        {"criterion": "manifold", "neighbors": 1, "weight": 3},
    ],
    ids=str,
)
def test_graph_of_a_detector_returns_its_scores_and_labels(options):
    x = table()
    detector = ae_multi.AnomalyDetector(
        epochs=3, latent_dim=1, hidden=(8,), contamination=0.1, **options
    ).fit(x)
    found, scores = graph_outputs(detector, x), detector.anomaly_score(x)
    np.testing.assert_allclose(found["score"], scores, rtol=2e-5)
    np.testing.assert_array_equal(found["label"], detector.predict(x))
    assert (found["label"] == -1).sum() == 16
    assert found["reconstruction"].shape == x.shape
    np.testing.assert_array_equal(found["reconstruction"][:, 2], 7)


@pytest.mark.parametrize("size", [1, 3])
def test_graph_uses_the_codes_of_the_detector(digits, size):
    detector = ae_multi.AnomalyDetector("simple", epochs=1, scale=None).fit(digits.x_train[:20])
    detector.codes_ = detector.codes_[:size]
    scores = detector.anomaly_score(digits.x_test)
    found = graph_outputs(detector, digits.x_test)["score"]
    np.testing.assert_allclose(found, scores, rtol=1e-5)


@pytest.mark.once
def test_graphs_of_other_estimators_return_their_outputs(small):
    x = small * 9 - 3
    reducer = ae_multi.AutoencoderTransformer("conv", latent_dim=3, epochs=1).fit(x)
    codes = reducer.transform(x)
    tolerance = {"rtol": 0, "atol": 2e-6 * 9}
    found = graph_outputs(reducer, x)["reconstruction"]
    np.testing.assert_allclose(found, reducer.reconstruct(x), **tolerance)
    np.testing.assert_allclose(graph_outputs(reducer, x, "encoder")["codes"], codes, **tolerance)
    found = graph_outputs(reducer, codes, "decoder")["reconstruction"]
    np.testing.assert_allclose(found, reducer.inverse_transform(codes), **tolerance)

    denoiser = ae_multi.Denoiser(latent_dim=3, hidden=(4, 4), epochs=1).fit(x)
    found = graph_outputs(denoiser, x)["reconstruction"]
    np.testing.assert_allclose(found, denoiser.transform(x), **tolerance)
    with pytest.raises(InputError, match="part='model' for a RestorationNetwork"):
        graph_outputs(denoiser, x, "encoder")

    segmenter = ae_multi.Segmenter(filters=(2, 2), epochs=1).fit(x, 3 + 4 * (x[..., 0] > 1))
    found = graph_outputs(segmenter, x)
    np.testing.assert_allclose(found["probabilities"], segmenter.predict_proba(x), rtol=1e-5)
    np.testing.assert_array_equal(found["label"], segmenter.predict(x))
    assert set(np.unique(found["label"])) <= {3, 7}
