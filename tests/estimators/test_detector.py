"""`AnomalyDetector`: thresholds, labels and feature errors."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import ae_multi
from ae_multi.estimators import thresholds

pytestmark = [pytest.mark.backend, pytest.mark.once]


def readings(count, seed):
    """Return rows of five noisy sensor values that depend on one speed."""
    rng = np.random.default_rng(seed)
    speed = rng.uniform(0, 1, (count, 1))
    values = np.hstack([speed, speed**2, np.sin(3 * speed), 1 - speed, np.sqrt(speed)])
    return 100 * values + rng.normal(0, 1, (count, 5))


NORMAL, NEW = readings(600, 0), readings(1000, 1)
BROKEN = readings(200, 2)
BROKEN[:, 2] += 30  # the third sensor is faulty


@pytest.fixture(scope="module")
def detector():
    detector = ae_multi.AnomalyDetector(
        latent_dim=1, epochs=120, contamination="held_out", validation_fraction=0.3
    )
    return detector.fit(NORMAL)


def test_anomalies_that_break_the_pattern_are_found(detector):
    x, broken = np.vstack([NEW, BROKEN]), np.repeat([0, 1], [1000, 200])
    assert roc_auc_score(broken, detector.anomaly_score(x)) > 0.99
    assert (detector.predict(BROKEN) == -1).mean() > 0.9
    # Single values are within the training range; only combinations are anomalous.
    assert (BROKEN[:, 2] < NORMAL[:, 2].max()).mean() > 0.3


def test_held_out_threshold_has_the_requested_false_alarm_rate(detector):
    """With 180 held-out samples the rate on new ones is 0.05 ± 0.016 (beta distribution)."""
    assert 0.01 < (detector.predict(NEW) == -1).mean() < 0.10
    detector.calibrate(NEW, 0.2)
    try:
        assert (detector.predict(NEW) == -1).mean() == pytest.approx(0.2, abs=0.002)
        assert (detector.predict(readings(2000, 3)) == -1).mean() == pytest.approx(0.2, abs=0.05)
    finally:
        detector.fit(NORMAL)


def test_scores_have_the_signs_of_scikit_learn(detector):
    scores, anomaly_scores = detector.score_samples(BROKEN), detector.anomaly_score(BROKEN)
    np.testing.assert_array_equal(scores, -anomaly_scores)
    decisions = detector.decision_function(BROKEN)
    np.testing.assert_array_equal(decisions, scores - detector.offset_)
    np.testing.assert_array_equal(detector.predict(BROKEN), np.where(decisions < 0, -1, 1))
    assert np.median(anomaly_scores) > np.quantile(detector.anomaly_score(NEW), 0.99)


def test_largest_feature_error_is_that_of_the_faulty_feature(detector):
    errors = detector.feature_errors(BROKEN)
    assert errors.shape == (200, 5)
    assert (errors.argmax(axis=1) == 2).mean() > 0.9
    np.testing.assert_allclose(errors.mean(axis=1), detector.anomaly_score(BROKEN), rtol=1e-5)


def test_largest_feature_error_of_an_image_is_at_the_faulty_pixels(digits):
    images = digits.x_train[:300]
    detector = ae_multi.AnomalyDetector("conv", hidden=(4,), scale=None, epochs=10).fit(images)
    marked = digits.x_test[:20].copy()
    marked[:, 2:6, 2:6] = 1  # where all digits are black
    maps = detector.feature_errors(marked)
    assert maps.shape == (20, 28, 28, 1)
    positions = [np.unravel_index(each.argmax(), (28, 28)) for each in maps]
    assert np.mean([2 <= row < 6 and 2 <= column < 6 for row, column in positions]) > 0.7


def test_contamination_is_the_fraction_of_anomalous_training_samples():
    for fraction in (0.1, 0.5):
        detector = ae_multi.AnomalyDetector("simple", contamination=fraction, epochs=2)
        assert (detector.fit_predict(NORMAL) == -1).sum() == 600 * fraction


def test_auto_contamination_tolerates_training_anomalies():
    mixed = np.vstack([NORMAL, BROKEN[:30]])
    detector = ae_multi.AnomalyDetector(latent_dim=1, epochs=100).fit(mixed)
    assert (detector.predict(NEW) == -1).mean() < 0.12
    assert (detector.predict(BROKEN[30:]) == -1).mean() > 0.6


def test_held_out_samples_do_not_affect_training():
    """A held-out outlier affects neither scaling nor weights."""
    from ae_multi.estimators.inputs import held_out

    training_rows, held_out_rows = held_out(0, "calibration", 600, 0.1)
    assert len(held_out_rows) == 60
    assert not set(training_rows) & set(held_out_rows)
    assert len(set(training_rows) | set(held_out_rows)) == 600
    with_outliers = NORMAL.copy()
    with_outliers[held_out_rows] *= 50
    detectors = [
        ae_multi.AnomalyDetector("simple", contamination="held_out", epochs=3).fit(x)
        for x in (NORMAL, with_outliers)
    ]
    np.testing.assert_array_equal(*(each.score_samples(NEW) for each in detectors))
    assert detectors[1].offset_ < 2 * detectors[0].offset_  # the score is a logarithm
    chunked = ae_multi.AnomalyDetector("simple", contamination="held_out", epochs=3)
    chunked.fit_chunks([NORMAL[:300], NORMAL[300:]])
    assert chunked.n_samples_seen_ == 540


def test_thresholds_equal_their_definitions():
    errors = np.arange(1.0, 20.0)  # 19, the minimum for a rate of 0.05
    assert thresholds.calibrated(errors, 0.05) == 19
    assert thresholds.calibrated(errors, 0.1) == 18
    assert thresholds.calibrated(errors, 0.5) == 10
    with pytest.raises(ae_multi.InputError, match=r"at least 19 held-out .* 0.05. Received: 18"):
        thresholds.calibrated(errors[:18], 0.05)
    assert thresholds.fence(np.array([1.0, 2, 3, 4, 5])) == 4 + 1.5 * 2
    assert thresholds.share(np.arange(101.0), 0.1) == 90


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"contamination": 0}, "contamination to be a number above 0 and at most 0.5. Received: 0"),
        ({"contamination": 0.51}, "contamination .* Received: 0.51"),
        ({"contamination": True}, "contamination .* Received: True"),
        ({"contamination": None}, "contamination .* Received: None"),
        ({"contamination": "some"}, "'auto', 'held_out' or a number. Received: 'some'"),
        ({"criterion": "error"}, "criterion to be 'auto', .* or 'mse'. Received: 'error'"),
        ({"neighbors": 0}, "neighbors to be an integer of at least 1. Received: 0"),
        ({"weight": 0}, "weight to be a number above 0. Received: 0"),
        ({"weight": "some"}, "weight to be a number above 0. Received: 'some'"),
        ({"neighbors": None}, "neighbors to be an integer or 'auto'. Received: None"),
        ({"false_alarm_rate": 1}, "false_alarm_rate .* above 0 and below 1. Received: 1"),
        ({"contamination": "held_out", "false_alarm_rate": 0.01}, "at least 99 held-out samples"),
    ],
    ids=str,
)
def test_invalid_threshold_parameters_are_refused_before_training(parameters, message):
    detector = ae_multi.AnomalyDetector(epochs=10**6, **parameters)
    with pytest.raises(ae_multi.InputError, match=message):
        detector.fit(NORMAL)


def test_invalid_false_alarm_rate_is_refused(detector):
    with pytest.raises(ae_multi.InputError, match="false_alarm_rate"):
        detector.calibrate(NEW, 0)


def test_partial_fit_updates_the_threshold():
    detector = ae_multi.AnomalyDetector("simple", contamination=0.1)
    for chunk in (NORMAL[:300], NORMAL[300:]):
        detector.partial_fit(chunk)
        assert (detector.predict(chunk) == -1).sum() == 30
