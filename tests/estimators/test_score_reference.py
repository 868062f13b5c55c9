"""`predict_proba` and `check`: scores compared with reference scores."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from sklearn.base import clone

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators.score_reference import MAX_QUANTILES, ScoreReferenceMixin
from tests.estimators.test_detector import BROKEN, NEW, NORMAL, readings

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def detector():
    return ae_multi.AnomalyDetector(
        latent_dim=1, epochs=100, contamination="held_out", validation_fraction=0.3
    ).fit(NORMAL)


class Reference(ScoreReferenceMixin):
    """Reference scores without a network."""

    def __init__(self, scores):
        self._set_reference(np.asarray(scores), "training")

    def probability(self, score):
        return self.probabilities_of(np.array([score]))[0, 1]


def test_probability_equals_its_definition():
    reference = Reference([3.0, 1.0, 2.0])
    assert [reference.probability(score) for score in (0, 1, 2.5, 9)] == [
        1 / 5,
        2 / 5,
        3 / 5,
        4 / 5,
    ]


def test_many_scores_are_stored_as_quantiles():
    scores = np.random.default_rng(0).exponential(size=50_000)
    reference = Reference(scores)
    assert len(reference.reference_scores_) == MAX_QUANTILES
    assert reference.reference_count_ == 50_000
    for score in (0.01, 0.5, 3.0, 5.0):
        exact = (1 + (scores <= score).sum()) / (2 + len(scores))
        assert reference.probability(score) == pytest.approx(exact, abs=1 / MAX_QUANTILES)
    assert reference.probability(99.0) == 50_001 / 50_002


@pytest.mark.parametrize("shift", [0, 0.02])
def test_check_with_quantiles_is_that_with_all_scores(shift):
    rng = np.random.default_rng(0)
    scores, new = rng.exponential(size=50_000), rng.exponential(size=20_000) + shift
    result, expected = Reference(scores).check_scores(new), ks_2samp(new, scores)
    assert result.statistic == pytest.approx(expected.statistic, abs=1 / MAX_QUANTILES)
    assert result.p_value == pytest.approx(expected.pvalue, rel=0.5)
    assert result.verdict == ("different" if shift else "alike")


def test_probabilities_of_new_normal_samples_are_uniform(detector):
    """With 180 reference samples the rate above .5 is .5 ± .037, that above .9 is .1 ± .022."""
    detectors = [clone(detector).set_params(random_state=seed).fit(NORMAL) for seed in (1, 2, 3)]
    probabilities = [each.predict_proba(NEW) for each in (detector, *detectors)]
    assert probabilities[0].shape == (1000, 2)
    np.testing.assert_allclose(np.sum(probabilities, axis=2), 1)
    for limit in (0.5, 0.9):
        rates = [np.mean(each[:, 1] > limit) for each in probabilities]
        assert np.mean(rates) == pytest.approx(1 - limit, abs=0.07)
    assert np.median(detector.predict_proba(BROKEN)[:, 1]) > 0.97


def test_check_equals_the_test_of_scipy(detector):
    new = readings(500, 7)
    result = detector.check(new)
    expected = ks_2samp(detector.anomaly_score(new), detector.reference_scores_)
    assert (result.statistic, result.p_value) == (
        expected.statistic,
        pytest.approx(expected.pvalue),
    )
    assert result.verdict == "alike"
    assert result.reference == "held_out"
    assert result.text.startswith("The 500 new samples look like the held-out samples (")
    different = detector.check(BROKEN)
    assert different.verdict == "different"
    assert different.p_value < 1e-6
    assert "differ from the held-out samples: their scores are higher" in str(different)


def test_check_rarely_rejects_scores_of_the_same_distribution():
    rng = np.random.default_rng(0)
    verdicts = [
        Reference(rng.exponential(size=100))
        .check_scores(rng.exponential(size=60), level=0.05)
        .verdict
        for _ in range(400)
    ]
    assert 4 <= verdicts.count("different") <= 32


def test_reference_is_that_of_the_latest_fit_or_calibration(detector):
    training = ae_multi.AnomalyDetector("simple", epochs=1).fit(NORMAL)
    assert (training.reference_, training.reference_count_) == ("training", 600)
    training.calibrate(NEW)
    assert (training.reference_, training.reference_count_) == ("calibration", 1000)
    np.testing.assert_array_equal(training.reference_scores_, np.sort(training.anomaly_score(NEW)))
    assert (detector.reference_, detector.reference_count_) == ("held_out", 180)


def test_older_detector_asks_for_a_calibration(detector):
    older = ae_multi.AnomalyDetector("simple", epochs=1).fit(NORMAL)
    del older.reference_scores_
    for method in (older.predict_proba, older.check):
        with pytest.raises(InputError, match="Call fit or calibrate first"):
            method(NEW)
    with pytest.raises(InputError, match="level to be a number above 0 and below 1"):
        detector.check(NEW, level=1)
