"""`TimeSeriesDetector` on real tables: preprocessing, columns, switches, files and errors."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

import ae_multi
from ae_multi.data.columns import CellError, columns_of, concatenate
from ae_multi.errors import InputError
from ae_multi.estimators import windows
from ae_multi.estimators.intervals import join
from ae_multi.estimators.normal_errors import two_valued
from tests.estimators.test_persistence import change, rewrite

pytestmark = [pytest.mark.backend, pytest.mark.once]

SMALL = {"window": 16, "stride": 4, "hidden": (8, 16), "epochs": 20, "batch_size": 32,
         "learning_rate": 5e-3, "preprocessor": "auto"}  # fmt: skip


def log(rows=1200, seed=0):
    """Return readings of a machine: times, a wave, its mirror with gaps, and its state."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.arange(rows) / 5 + seed)
    mirror = -20 * wave + rng.normal(0, 1, rows)
    return pd.DataFrame(
        {
            "number": np.arange(rows),
            "wave": wave + rng.normal(0, 0.05, rows),
            "mirror": np.where(rng.random(rows) < 0.004, np.nan, mirror),
            "state": np.where(wave > 0, "up", "down"),
            "site": "north",
        }
    )


@pytest.fixture(scope="module")
def detector():
    return ae_multi.TimeSeriesDetector(**SMALL).fit(log())


@pytest.fixture(scope="module")
def faulty():
    frame = log(400, seed=1)
    frame.loc[200:239, "mirror"] = 0.0
    frame.loc[300:319, "state"] = "up"
    frame.loc[[50, 120], "mirror"] = np.nan
    return frame


def test_features_are_those_of_the_preprocessor(detector, faulty):
    kinds = {"number": "identifier", "wave": "number", "mirror": "number", "state": "category",
             "site": "constant"}  # fmt: skip
    assert detector.preprocessor_.columns_ == kinds
    assert detector.column_names_.tolist() == ["wave", "mirror", "state"]
    features = detector.preprocessor_.transform(faulty)
    assert detector.n_features_in_ == features.shape[1]
    plain = ae_multi.TimeSeriesDetector(**{**SMALL, "preprocessor": None})
    plain.fit(detector.preprocessor_.transform(log()))
    np.testing.assert_array_equal(plain.feature_errors(features), detector.feature_errors(faulty))


def test_column_errors_are_sums_and_faults_name_columns(detector, faulty):
    errors, columns = detector.feature_errors(faulty), detector.column_errors(faulty)
    assert columns.shape == (400, 3)
    source = [*detector.preprocessor_.source_.values()]
    for place, name in enumerate(["wave", "mirror", "state"]):
        own = [number for number, column in enumerate(source) if column == name]
        np.testing.assert_allclose(columns[:, place], errors[:, own].sum(axis=1), rtol=1e-12)
    away = [*range(30), *range(140, 180), *range(250, 280), *range(340, 400)]
    for fault, column in ((slice(200, 240), 1), (slice(300, 320), 2)):
        assert columns[fault, column].mean() > 2 * columns[away, column].mean()
    stuck = [each for each in detector.intervals(faulty) if each.begin < 240 and each.end > 200]
    assert max(stuck, key=lambda interval: interval.score).sensors == ("mirror",)
    several = detector.column_errors([faulty, faulty[:100]])
    np.testing.assert_allclose(several[0], columns, rtol=1e-4)
    assert several[1].shape == (100, 3)


def test_rare_missing_values_do_not_swamp_the_score(detector, faulty):
    """The unit of "is missing" is its mean error, not that of the rows without missing values."""
    scores = detector.anomaly_score(faulty)
    indicator = [*detector.preprocessor_.source_].index("mirror is missing")
    share = detector.preprocessor_.transform(log())[:, indicator].mean()
    # The network does not foresee it: the error is about 1 / share, less by the smoothing.
    limit = 1 / share / detector.smoothing
    errors = detector.feature_errors(faulty)[[50, 120], indicator]
    assert 0.3 * limit < errors.min() < errors.max() < 2 * limit
    assert scores[[50, 120]].max() < 0.5 * limit


def test_held_out_rows_do_not_influence_the_preprocessor():
    frame = log(600)
    changed = frame.astype({"state": object})
    for _, segment in windows.split(0, 0, 600, 16, 0.2).held_out:
        changed.loc[segment.start : segment.stop - 1, "state"] = "unknown"
        changed.loc[segment.start : segment.stop - 1, "wave"] = 1e6
    fitted = ae_multi.TimeSeriesDetector(**{**SMALL, "epochs": 1}).fit(changed)
    split = windows.split(0, 0, 600, 16, 0.2)
    training = np.concatenate([np.arange(part.start, part.stop) for part in split.train])
    expected = ae_multi.make_preprocessor().fit(frame.iloc[training])
    assert fitted.preprocessor_.encoders_ == expected.encoders_


def test_preprocessor_is_fitted_to_all_series():
    first, second = log(300), log(300, seed=2).assign(site="south")
    small = {**SMALL, "epochs": 1}
    detector = ae_multi.TimeSeriesDetector(**small).fit([first, second])
    assert detector.preprocessor_.columns_["site"] == "category"
    chunked = ae_multi.TimeSeriesDetector(**small).fit_chunks([first, second])
    assert chunked.preprocessor_.columns_["site"] == "constant"
    assert chunked.partial_fit(second).n_iter_ == 2
    with pytest.raises(InputError, match=r"columns of the first table.* Received: 'wave'"):
        ae_multi.TimeSeriesDetector(**small).fit([first, second.drop(columns="wave")])


def test_loaded_detector_equals_the_saved_one(detector, faulty, tmp_path):
    detector.save(tmp_path / "pump.ae")
    loaded = ae_multi.load_estimator(tmp_path / "pump.ae")
    assert loaded.preprocessor_.columns_ == detector.preprocessor_.columns_
    for frame in (faulty, faulty[faulty.columns[::-1]]):
        np.testing.assert_array_equal(loaded.column_errors(frame), detector.column_errors(faulty))
    assert loaded.intervals(faulty) == detector.intervals(faulty)
    given = clone(detector).set_params(preprocessor=ae_multi.make_preprocessor(drop=["wave"]))
    assert given.get_params()["preprocessor__drop"] == ["wave"]
    rewrite(tmp_path / "pump.ae", change("fitted", "preprocessor_", value=None))
    with pytest.raises(InputError, match="preprocessor_ to be a value"):
        ae_multi.load_estimator(tmp_path / "pump.ae")


def test_bad_values_are_named_with_row_and_series(detector, faulty):
    bad = faulty.astype({"wave": object})
    bad.loc[7, "wave"] = "high"
    message = "a finite number in the column 'wave', row 7 of the series 1. Received: 'high'"
    with pytest.raises(CellError, match=re.escape(message)):
        detector.predict([faulty, bad])
    with pytest.raises(CellError, match=r"'wave', row 7\. Received: 'high'"):
        detector.predict(bad)
    changed = log(600).astype({"wave": object})
    # The last row is one for training, after rows that are held out.
    changed.loc[599, "wave"] = "high"
    with pytest.raises(CellError, match="row 599 of the series 1") as caught:
        ae_multi.TimeSeriesDetector(**SMALL).fit([log(300), changed])
    assert (caught.value.series, caught.value.row) == (1, 599)
    with pytest.raises(InputError, match="X without 'state'"):
        detector.predict(faulty.drop(columns="state"))
    with pytest.raises(InputError, match="preprocessor to be None, 'auto' or"):
        ae_multi.TimeSeriesDetector(preprocessor="on").fit(log())


def test_columns_of_different_types_are_joined_as_text():
    tables = [columns_of(pd.DataFrame({"a": [1.0, np.nan]})), columns_of(np.array([["x"], ["2"]]))]
    tables[1] = {"a": tables[1]["x0"]}
    assert concatenate(tables)["a"].values.tolist() == ["1", None, "x", "2"]
    numbers = concatenate([tables[0], tables[0]])["a"]
    assert (numbers.type, len(numbers.values)) == ("number", 4)


def test_two_valued_sensors_are_found_over_all_series():
    series = [np.array([[0.0, 1.0, 5.0, 0.0]] * 3), np.array([[1.0, 1.0, 6.0, 1.0]] * 2)]
    series.append(np.array([[0.0, 1.0, 5.5, 1.0]]))
    assert two_valued(series).tolist() == [True, False, False, True]


def test_sensors_of_one_name_count_as_one():
    errors = np.ones((10, 3))
    errors[4] = [3, 2.5, 2.5]
    [found] = join(errors, 1.5, 1, ["a", "b", "b"])
    assert found[:2] == (4, 5)
    assert found.sensors == ("b",)
    assert join(errors, 1.5, 1)[0].sensors == (0, 1)
