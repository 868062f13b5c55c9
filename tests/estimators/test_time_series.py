"""`TimeSeriesDetector`: scores against an oracle, faults, files, and errors that say what to do."""

from copy import copy

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import uniform_filter1d
from sklearn.base import clone
from sklearn.utils import estimator_checks

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators import time_series, window_estimator, windows

pytestmark = pytest.mark.backend

WINDOW, STRIDE = 16, 6
SMALL = {
    "window": WINDOW,
    "stride": STRIDE,
    "hidden": (8, 16),
    "epochs": 40,
    "batch_size": 32,
    "learning_rate": 5e-3,
}


def normal(timestamps=1600, seed=0):
    """Return a series of three sensors that follow one sum of two sines, with noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(timestamps)[:, np.newaxis]
    waves = np.sin(time / [4, 7] + rng.uniform(0, 6, 2))
    return waves @ [[1, 20, -1], [1, 20, -1]] + rng.normal(0, [0.1, 2, 0.1], (timestamps, 3)) + 5


@pytest.fixture(scope="module")
def detector():
    return ae_multi.TimeSeriesDetector(contamination="held_out", **SMALL).fit(normal())


@pytest.fixture(scope="module")
def faulty():
    """Return a series in which sensor 1 is stuck from 200 to 260, and sensor 0 shifts at 400."""
    series = normal(600, seed=1)
    series[200:260, 1] = series[200, 1]
    series[400:430, 0] += 2
    return series


def slow_errors(detector, series):
    """Compute `feature_errors` timestamp by timestamp in float64."""
    scaled = (series - detector.input_offset_) / detector.input_span_
    begins = windows.starts(len(series), WINDOW, STRIDE)
    outputs = [detector.network_.reconstruct(scaled[b : b + WINDOW][None])[0] for b in begins]
    errors = np.empty(series.shape)
    for time in range(len(series)):
        values = [
            (scaled[time] - output[time - begin]) ** 2
            for begin, output in zip(begins, outputs, strict=True)
            if begin <= time < begin + WINDOW
        ]
        errors[time] = np.mean(values, axis=0)
    smooth = uniform_filter1d(errors, detector.smoothing, axis=0, mode="nearest")
    return smooth / detector.normal_errors_


def test_errors_equal_a_slow_oracle(detector, faulty, monkeypatch):
    part = faulty[150:223]
    expected = slow_errors(detector, part)
    np.testing.assert_allclose(detector.feature_errors(part), expected, rtol=2e-4)
    # The result does not depend on the number of windows that are copied at once.
    monkeypatch.setattr(time_series, "MAX_SCORING_BYTES", 3 * WINDOW * 3 * 4)
    np.testing.assert_allclose(detector.feature_errors(part), expected, rtol=2e-4)


def test_methods_agree(detector, faulty):
    errors, scores = detector.feature_errors(faulty), detector.anomaly_score(faulty)
    assert errors.shape == (600, 3)
    assert errors.dtype == scores.dtype == np.float64
    np.testing.assert_array_equal(scores, errors.mean(axis=1))
    np.testing.assert_array_equal(detector.score_samples(faulty), -scores)
    np.testing.assert_array_equal(
        detector.decision_function(faulty), detector.score_samples(faulty) - detector.offset_
    )
    labels = detector.predict(faulty)
    assert set(labels) == {-1, 1}
    np.testing.assert_array_equal(labels == -1, scores > -detector.offset_)


def test_faults_are_found_with_sensor_and_interval(detector, faulty):
    # Others may be false alarms, at most a twentieth of the timestamps.
    highest = sorted(detector.intervals(faulty), key=lambda interval: interval.score)[-2:]
    stuck, shift = sorted(highest)
    assert stuck.sensors == (1,)
    assert shift.sensors == (0,)
    # Errors spread over a window and half of the smoothing.
    for found, begin, end in ((stuck, 200, 260), (shift, 400, 430)):
        assert abs(found.begin - begin) < 20
        assert abs(found.end - end) < 20
    assert shift.score == detector.anomaly_score(faulty)[400:430].max()
    assert len(detector.intervals(faulty, gap=600)) == 1


def test_scores_are_about_one_on_new_normal_data(detector):
    new = normal(3000, seed=5)
    assert np.all(abs(detector.feature_errors(new).mean(axis=0) - 1.1) < 0.3)
    assert np.mean(detector.predict(new) == -1) < 0.05


def test_several_series_are_scored_one_by_one(detector, faulty):
    series = [faulty[:100], faulty[180:300], normal(40, seed=3)]
    for method in ("feature_errors", "predict"):
        found = getattr(detector, method)(series)
        for each, result in zip(series, found, strict=True):
            np.testing.assert_allclose(result, getattr(detector, method)(each), rtol=1e-4)
    for each, found in zip(series, detector.intervals(series), strict=True):
        assert [i[:2] for i in found] == [i[:2] for i in detector.intervals(each)]
    cube = np.stack([faulty[:50], faulty[50:100]])
    np.testing.assert_allclose(
        detector.anomaly_score(cube)[1], detector.anomaly_score(faulty[50:100]), rtol=1e-4
    )


def test_no_window_crosses_two_series(monkeypatch):
    """Two constant series of different level: each window of the training is constant."""
    seen = []

    def train(estimator, inputs, targets, epochs, rate):
        seen.append(inputs)
        raise InterruptedError

    monkeypatch.setattr(window_estimator, "train_whole", train)
    series = [np.full((n, 2), level) for n, level in ((40, 1.0), (61, 2.0), (16, 3.0))]
    with pytest.raises(InterruptedError):
        ae_multi.TimeSeriesDetector(**{**SMALL, "scale": None}).fit(series)
    assert set(np.unique(seen[0])) == {1, 2, 3}
    assert (seen[0] == seen[0][:, :1, :1]).all()


@pytest.mark.once
def test_held_out_timestamps_do_not_influence_the_network():
    first, second = normal(400), normal(400)
    for _, segment in windows.split(0, 0, 400, WINDOW, 0.2).held_out:
        second[segment] += 1000
    small = {**SMALL, "epochs": 1}
    networks = [ae_multi.TimeSeriesDetector(**small).fit(x).network_ for x in (first, second)]
    for one, other in zip(networks[0].get_weights(), networks[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.once
def test_training_in_parts_sees_all_windows(monkeypatch):
    small = {**SMALL, "epochs": 6, "batch_size": 16, "model": "deep"}
    whole = ae_multi.TimeSeriesDetector(**small).fit(normal())
    monkeypatch.setattr(window_estimator, "MAX_TRAINING_BYTES", 100 * WINDOW * 3 * 4)
    parts = ae_multi.TimeSeriesDetector(**small).fit(normal())
    assert parts.n_iter_ == whole.n_iter_ == 6
    assert parts.loss_curve_[-1] < 1.5 * whole.loss_curve_[-1] < whole.loss_curve_[0]
    with pytest.raises(InputError, match="Expected checkpoint=None"):
        ae_multi.TimeSeriesDetector(**SMALL, checkpoint="folder").fit(normal())


@pytest.mark.once
def test_chunks_are_series_of_their_own():
    chunks = [normal(200, seed=1), normal(300, seed=2)]
    detector = ae_multi.TimeSeriesDetector(**{**SMALL, "epochs": 2}).fit_chunks(chunks)
    other = ae_multi.TimeSeriesDetector(**{**SMALL, "epochs": 2}).fit(chunks)
    np.testing.assert_array_equal(detector.input_offset_, other.input_offset_)
    assert len(detector.loss_curve_) == 2
    assert detector.partial_fit(chunks[0]).n_iter_ == 3


@pytest.mark.parametrize(
    "model", ["lstm", *(pytest.param(m, marks=pytest.mark.once) for m in ("conv", "deep"))]
)
def test_loaded_detector_equals_the_saved_one(model, tmp_path, faulty):
    small = {"window": 11, "stride": 4, "epochs": 1, "latent_dim": 3, "hidden": (5,)}
    frame = pd.DataFrame(faulty, columns=["a", "b", "c"])
    saved = ae_multi.TimeSeriesDetector(model=model, contamination=0.1, **small).fit(frame)
    saved.save(tmp_path / "pump.ae")
    loaded = ae_multi.load_estimator(tmp_path / "pump.ae")
    assert type(loaded) is ae_multi.TimeSeriesDetector
    assert loaded.get_params() == saved.get_params()
    np.testing.assert_array_equal(loaded.anomaly_score(frame), saved.anomaly_score(frame))
    assert loaded.intervals(frame) == saved.intervals(frame)
    assert {name for each in loaded.intervals(frame) for name in each.sensors} <= {"a", "b", "c"}
    # A tenth of the timestamps of fit is above the threshold.
    assert np.mean(saved.predict(frame) == -1) == pytest.approx(0.1, abs=0.005)
    assert set(vars(loaded)) == set(vars(saved))


@pytest.mark.once
@pytest.mark.parametrize("value", [np.ones(2), np.zeros(3), np.array([1, np.nan, 1]), None])
def test_files_with_invalid_normal_errors_are_refused(value, detector, tmp_path):
    changed = clone(detector)
    vars(changed).update({**vars(detector), "normal_errors_": value})
    changed.save(tmp_path / "pump.ae")
    with pytest.raises(InputError, match="normal_errors_"):
        ae_multi.load_estimator(tmp_path / "pump.ae")


@pytest.mark.once
@pytest.mark.parametrize("name", ["normal_errors_", "offset_"])
def test_files_without_a_fitted_attribute_are_refused(name, detector, tmp_path):
    changed = clone(detector)
    vars(changed).update({key: value for key, value in vars(detector).items() if key != name})
    changed.save(tmp_path / "pump.ae")
    with pytest.raises(InputError, match=f"Expected the fitted attribute {name}"):
        ae_multi.load_estimator(tmp_path / "pump.ae")


@pytest.mark.once
def test_own_keras_model(keras, faulty):
    encoder = keras.Sequential(
        [keras.Input((16, 3)), keras.layers.Flatten(), keras.layers.Dense(4)]
    )
    decoder = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(48), keras.layers.Reshape((16, 3))]
    )
    model = ae_multi.Autoencoder(encoder, decoder, seed=1)
    detector = ae_multi.TimeSeriesDetector(16, 4, model, epochs=2).fit(faulty)
    assert detector.network_ is not model
    assert detector.anomaly_score(faulty).shape == (600,)
    with pytest.raises(InputError, match=r"Expected samples of shape \(16, 3\)"):
        ae_multi.TimeSeriesDetector(32, 4, model, epochs=2).fit(faulty)


@pytest.mark.once
def test_calibrate_sets_the_threshold_of_new_normal_data(detector):
    detector = copy(detector)
    series = [normal(800, seed=8), normal(810, seed=9)]
    detector.calibrate(series, 0.1)
    rate = np.mean(np.concatenate(detector.predict(series)) == -1)
    # 100 blocks: of 101 times the rate one is left for the block that is not known yet.
    assert 0.08 < rate < 0.1
    with pytest.raises(InputError, match="at least 99 held-out blocks of 16"):
        detector.calibrate(normal(1583), 0.01)


@pytest.mark.once
def test_constant_and_huge_values(faulty):
    series = faulty * [1e30, 1, 1]
    series[:, 2] = 7
    detector = ae_multi.TimeSeriesDetector(**{**SMALL, "epochs": 2}).fit(series)
    new = series.copy()
    new[100, 2] = 8
    errors = detector.feature_errors(new)
    assert np.isfinite(errors).all()
    assert errors[100].argmax() == 2
    # The huge error does not change timestamps that share no window with it.
    np.testing.assert_allclose(errors[150:], detector.feature_errors(series)[150:], rtol=1e-4)


@pytest.mark.once
def test_errors_say_what_to_do(detector, faulty):
    def fit(x=faulty, **parameters):
        return ae_multi.TimeSeriesDetector(**{**SMALL, **parameters}).fit(x)

    with pytest.raises(InputError, match=r"stride of at most the window, 16.* Received: 17"):
        fit(stride=17)
    with pytest.raises(InputError, match=r"at least 16 timestamps, the window\. Received: 15"):
        fit(faulty[:15])
    with pytest.raises(InputError, match=r"In the series 1: .*at least 16"):
        detector.predict([faulty, faulty[:9]])
    with pytest.raises(InputError, match="one of conv, lstm, deep"):
        fit(model="simple")
    with pytest.raises(InputError, match="at least one layer"):
        fit(hidden=())
    with pytest.raises(InputError, match="contamination"):
        fit(contamination=0.7)
    with pytest.raises(InputError, match=r"at least 99 held-out blocks of 16 timestamps"):
        fit(contamination="held_out", false_alarm_rate=0.01)
    frame = pd.DataFrame(faulty, columns=["a", "b", "c"])
    frame.loc[7, "b"] = np.nan
    with pytest.raises(InputError, match="nan in the column 'b', row 7"):
        fit(frame)
    with pytest.raises(ValueError, match="3 features"):
        detector.predict(faulty[:, :2])
    with pytest.raises(InputError, match=r"ae_multi\.export\(detector\.network_"):
        detector.export("pump.onnx")


CHECKED = {"window": 2, "stride": 1, "model": "deep", "hidden": (4,), "epochs": 2}


@pytest.mark.once
@pytest.mark.parametrize(
    "check",
    [
        "check_fit_idempotent",
        "check_estimators_pickle",
        "check_n_features_in",
        "check_dict_unchanged",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimators_nan_inf",
        "check_estimators_overwrite_params",
        "check_estimators_unfitted",
        "check_fit1d",
        "check_fit_score_takes_y",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
    ],
)
def test_selected_scikit_learn_checks_pass(check):
    """Scores of a timestamp depend on its neighbors; other checks take them for samples."""
    detector = ae_multi.TimeSeriesDetector(**CHECKED)
    getattr(estimator_checks, check)("TimeSeriesDetector", detector)
