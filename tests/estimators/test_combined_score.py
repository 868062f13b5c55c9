"""The score "combined" of the anomaly detector: its formula, its properties and its file."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ae_multi
from ae_multi.estimators import combined_score
from ae_multi.estimators.graph import graph_of
from tests.reference.pages import ROOT

pytestmark = [pytest.mark.backend, pytest.mark.once]

SAVED = ROOT / "tests" / "data" / "saved_criteria"


def table(rows=120, seed=0):
    """Return skewed rows on a surface, float32 (rows, 6), with a constant column."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, (2, rows, 1))
    x = np.hstack([a, b, a * b, np.exp(2 * a), np.full_like(a, 0.5), b**2])
    x[:, [0, 1, 2, 3, 5]] += rng.normal(0, 0.05, (rows, 5))
    return x.astype(np.float32)


def reference_terms(train, x, outputs, train_outputs, neighbors):
    """Return the terms of the rows ``x`` in float64, row by row: (n, 5)."""
    train, x, outputs = (values.astype(float) for values in (train, x, outputs))
    deviation = train.std(axis=0)
    deviation[deviation < 1e-6] = 1
    low, median, high = np.percentile(train, [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / 1.349, deviation)
    bent = np.arcsinh((train - median) / spread)
    bent_deviation = bent.std(axis=0)
    bent_deviation[bent_deviation < 1e-6] = 1
    known = (bent - bent.mean(axis=0)) / bent_deviation
    component = np.linalg.svd((train - train.mean(axis=0)) / deviation)[2][:1]
    terms = []
    for row, output in zip(x, outputs, strict=True):
        standard = (row - train.mean(axis=0)) / deviation
        residual = standard - component.T @ (component @ standard)
        robust = (np.arcsinh((row - median) / spread) - bent.mean(axis=0)) / bent_deviation
        distances = np.sort(np.mean((known - robust) ** 2, axis=1))
        terms.append(
            [
                np.mean((row - output) ** 2),
                np.mean(residual**2),
                distances[1 : neighbors + 1].mean(),
                distances[1 : round(0.1 * len(known)) + 1].mean(),
                np.mean(
                    [tail(value, column) for value, column in zip(robust, known.T, strict=True)]
                ),
            ]
        )
    return np.array(terms)


def tail(value, column):
    """Return -log of the share of values that are at least as extreme on the same side."""
    shares = np.mean(column <= value + 1e-6), np.mean(column >= value - 1e-6)
    return -np.log(max(min(shares), 1e-3))


def test_terms_and_scores_equal_their_formula():
    train = table()
    noise = np.random.default_rng(1).normal(0, 0.1, train.shape).astype(np.float32)
    constants = combined_score.fit(train, train + noise, 3)
    # The rarity is linear between knots, and higher beyond them.
    expected = reference_terms(train, train, train + noise, train + noise, 3)
    found = combined_score.term_errors(train, train + noise, constants)
    np.testing.assert_allclose(found[:, :4], expected[:, :4], rtol=2e-4)
    ordered = np.sort(train, axis=0)
    usual = ((train >= ordered[2]) & (train <= ordered[-3])).all(axis=1)
    np.testing.assert_allclose(found[usual, 4], expected[usual, 4], atol=0.1)
    unseen = table(30, seed=5) * 2
    expected = reference_terms(train, unseen, unseen * 0.9, train + noise, 3)
    found = combined_score.term_errors(unseen, unseen * np.float32(0.9), constants)
    np.testing.assert_allclose(found[:, :4], expected[:, :4], rtol=2e-4)
    logs = np.log(combined_score.term_errors(train, train + noise, constants))
    low, median, high = np.percentile(logs, [25, 50, 75], axis=0)
    unexplained = np.square(noise, dtype=float).mean() / train.astype(float).var(axis=0).mean()
    weights = np.array([0.1 / unexplained, 4, 1, 1, 1])
    z = (np.log(found) - median) / np.maximum((high - low) / 1.349, 0.1)
    scores = combined_score.scores(unseen, unseen * np.float32(0.9), constants)
    np.testing.assert_allclose(scores, np.log1p(np.exp(z) @ weights), rtol=1e-4)


def test_rarity_at_knots_is_the_logarithm_of_the_tail():
    train = table()
    constants = combined_score.fit(train, train * np.float32(0.9))
    robust = constants["rows"]
    for feature in (0, 3):
        column = robust[:, feature]
        knots, rarities = constants["knots"][:, feature], constants["rarities"][:, feature]
        ordered = np.sort(column)
        inside = (knots >= ordered[1]) & (knots <= ordered[-2])
        expected = [tail(value, column) for value in knots[inside]]
        assert inside.sum() > 40
        np.testing.assert_allclose(rarities[inside], expected, rtol=1e-5)
        assert rarities[0] == rarities[-1] == pytest.approx(np.log(20 * len(train)))


@pytest.fixture(scope="module")
def detector():
    return ae_multi.AnomalyDetector(latent_dim=2, epochs=60).fit(table(600))


def test_mean_of_feature_errors_is_the_score(detector):
    x = np.vstack([table(50, seed=2), 3 * table(50, seed=3)])
    scores, errors = detector.anomaly_score(x), detector.feature_errors(x)
    assert detector.criterion_ == "combined"
    assert errors.shape == x.shape
    assert errors.min() >= 0
    assert scores.min() >= 0
    np.testing.assert_allclose(errors.mean(axis=1, dtype=float), scores, rtol=1e-5)


def test_graph_and_file_return_the_same_scores(detector, tmp_path):
    x = np.vstack([table(50, seed=2), 30 * table(50, seed=3)])
    found = ae_multi.predict(graph_of(detector, "model").model, x)
    np.testing.assert_allclose(found["score"], detector.anomaly_score(x), rtol=2e-5, atol=1e-5)
    detector.save(tmp_path / "table.ae")
    loaded = ae_multi.load_estimator(tmp_path / "table.ae")
    np.testing.assert_array_equal(loaded.anomaly_score(x), detector.anomaly_score(x))
    np.testing.assert_array_equal(loaded.feature_errors(x), detector.feature_errors(x))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", np.full(5, -1, np.float32)),
        ("mean", np.zeros(5, np.float32)),
        ("rows", np.full((3, 6), np.nan, np.float32)),
        ("count", np.zeros((), np.float32)),
        ("other", np.zeros(5, np.float32)),
    ],
)
def test_files_with_invalid_constants_are_refused(detector, tmp_path, name, value):
    before = detector.score_constants_
    detector.score_constants_ = {**before, name: value}
    try:
        detector.save(tmp_path / "table.ae")
    finally:
        detector.score_constants_ = before
    with pytest.raises(ae_multi.InputError, match="score_constants_"):
        ae_multi.load_estimator(tmp_path / "table.ae")


@pytest.mark.parametrize(
    "x",
    [
        np.ones((30, 3)),
        np.arange(30.0)[:, np.newaxis],
        np.repeat(np.eye(3), 20, axis=0),
        np.array([[1e30, 0, 1], [1, 1e-30, 1], [0, 0, 5]] * 10),
        np.eye(2),
    ],
    ids=["constant", "one column", "duplicates", "of any size", "two rows"],
)
def test_scores_of_degenerate_tables_are_finite(x):
    detector = ae_multi.AnomalyDetector("simple", latent_dim=1, epochs=1).fit(x)
    for rows in (x, x + 1, -1e6 * x):
        assert np.isfinite(detector.anomaly_score(rows)).all()
        assert np.isfinite(detector.feature_errors(rows)).all()


@pytest.mark.slow
@pytest.mark.parametrize("broken", [1, 3])
def test_broken_correlations_are_found_as_well_as_by_mse_and_pca(broken):
    from ae_multi.baselines import fit_pca, reconstruct_with_pca
    from benchmarks.synthetic_anomalies import make_sensors

    x, y = make_sensors(3000, broken, share=0.03)
    train, test, y = x[:2000], x[2000:], y[2000:]
    areas = {
        name: roc_auc_score(
            y, ae_multi.AnomalyDetector(criterion=name, epochs=60).fit(train).anomaly_score(test)
        )
        for name in ("auto", "mse")
    }
    restored = reconstruct_with_pca(fit_pca(train, 26 // 4), test)
    pca = roc_auc_score(y, np.square(test - restored).mean(axis=1))
    assert areas["auto"] > max(areas["mse"], pca) - 0.03


def test_files_from_before_the_combined_score_score_as_before():
    with np.load(SAVED / "expected.npz") as arrays:
        expected = dict(arrays)
    for name in ("manifold", "mse"):
        loaded = ae_multi.load_estimator(SAVED / f"{name}.ae")
        assert loaded.criterion_ == name
        scores = loaded.score_samples(expected["x"])
        np.testing.assert_allclose(scores, expected[name], rtol=1e-4)
        np.testing.assert_array_equal(loaded.predict(expected["x"]), expected[f"{name}_labels"])
