"""`TablePreprocessor`: kinds of columns, features, new values and invalid ones."""

import json
import logging
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils import estimator_checks

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators.preprocessor_state import from_plain, to_plain
from tests.reference.real_tables import CITIES, KINDS, real_table

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def frame():
    columns = real_table()
    del columns["alarm"]
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def fitted(frame):
    return ae_multi.make_preprocessor().fit(frame)


@pytest.fixture(scope="module")
def features(fitted, frame):
    """Return the features of the frame by name."""
    return dict(zip(fitted.feature_names_out_, fitted.transform(frame).T, strict=True))


def test_kinds_of_a_real_table_are_found(fitted):
    assert fitted.columns_ == KINDS
    assert fitted.left_out_ == ["row", "serial", "unit"]
    assert fitted.n_features_in_ == 9
    assert set(fitted.source_.values()) == {*KINDS} - {"row", "serial", "unit"}
    assert [*fitted.source_] == fitted.get_feature_names_out().tolist()


def test_columns_left_out_are_named_once(frame, caplog):
    with caplog.at_level(logging.INFO, "ae_multi"):
        ae_multi.make_preprocessor().fit(frame).transform(frame)
    (record,) = caplog.records
    assert record.getMessage() == (
        "Left out of the features: row (identifier), serial (identifier), unit (constant)."
    )


def test_numbers_equal_those_of_scikit_learn(frame, features):
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    expected = imputer.fit_transform(frame[["speed", "pressure"]])
    got = [features[name] for name in ("speed", "pressure", "speed is missing")]
    np.testing.assert_array_equal(np.stack(got, 1), expected)
    np.testing.assert_array_equal(features["running"], frame["running"].astype(float))
    assert "pressure is missing" not in features


def test_categories_equal_those_of_scikit_learn(frame, features):
    texts = frame[["city"]].astype(object).where(frame[["city"]].notna(), None)
    encoder = OneHotEncoder(categories=[[*CITIES, None]], sparse_output=False)
    names = [*(f"city={city}" for city in CITIES), "city is missing"]
    got = np.stack([features[name] for name in names], 1)
    np.testing.assert_array_equal(got, encoder.fit_transform(texts))
    assert not features["city is other"].any()


def test_dates_are_days_and_positions_in_cycles(frame, features):
    serviced = pd.to_datetime(frame["serviced"])
    np.testing.assert_allclose(features["serviced days"], (serviced - serviced.min()).dt.days)
    month = 2 * np.pi * (serviced.dt.month - 1) / 12
    np.testing.assert_allclose(features["serviced month sin"], np.sin(month), atol=1e-12)
    weekday = 2 * np.pi * serviced.dt.day_of_week / 7
    np.testing.assert_allclose(features["serviced weekday cos"], np.cos(weekday), atol=1e-12)
    assert "serviced hour sin" not in features  # all at midnight
    time = frame["time"]
    hour = 2 * np.pi * (time.dt.hour / 24 + time.dt.minute / 1440)
    np.testing.assert_allclose(features["time hour sin"], np.sin(hour), atol=1e-12)
    # The times of a log do not decrease, and extend over 24 days, which is less than a year.
    assert not {"time days", "time month sin"} & {*features}


def test_missing_date_is_the_median_date():
    days = ["2026-01-01", "2026-01-03", None, "2026-01-02"]
    preprocessor = ae_multi.make_preprocessor(kinds={"day": "date"})
    features = preprocessor.fit_transform(pd.DataFrame({"day": pd.to_datetime(days)}))
    assert preprocessor.feature_names_out_.tolist() == ["day days", "day is missing"]
    np.testing.assert_array_equal(features, [[0, 0], [2, 0], [1, 1], [1, 0]])


def test_frames_of_both_libraries_and_text_give_the_same_features(frame, fitted):
    expected = fitted.transform(frame)
    text = frame.astype(object).where(frame.notna(), None)
    polars = pl.DataFrame({name: text[name].tolist() for name in frame})
    np.testing.assert_array_equal(fitted.transform(polars), expected)
    np.testing.assert_array_equal(ae_multi.make_preprocessor().fit_transform(polars), expected)
    text = text.map(lambda value: None if value is None else str(value))
    np.testing.assert_array_equal(fitted.transform(text), expected)
    np.testing.assert_array_equal(ae_multi.make_preprocessor().fit_transform(text), expected)


def test_order_and_other_columns_do_not_matter(frame, fitted, caplog):
    expected = fitted.transform(frame)
    changed = frame[frame.columns[::-1]].assign(extra=1, other="x")
    preprocessor = clone(fitted).fit(frame)
    caplog.clear()
    for _ in range(2):
        np.testing.assert_array_equal(preprocessor.transform(changed), expected)
    (record,) = caplog.records
    assert record.getMessage() == "Ignored columns that fit has not seen: 'extra', 'other'."
    # Columns without features may be missing.
    np.testing.assert_array_equal(fitted.transform(frame.drop(columns=["row", "unit"])), expected)


def test_missing_columns_are_refused(frame, fitted):
    with pytest.raises(InputError, match=r"Received: X without 'speed', 'city'\.$"):
        fitted.transform(frame.drop(columns=["speed", "city"]))
    with pytest.raises(InputError, match="X without 'time'"):
        fitted.transform(frame.to_numpy())


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("speed", "fast", r"a finite number in the column 'speed', row 3\. Received: 'fast'"),
        ("running", "perhaps", r"true or false in the column 'running', row 3"),
        ("serviced", "soon", r"a date or time .* in the column 'serviced', row 3"),
    ],
)
def test_values_of_another_type_are_refused(frame, fitted, column, value, message):
    changed = frame.head(5).astype({column: object})
    changed.loc[3, column] = value
    with pytest.raises(InputError, match=message):
        fitted.transform(changed)


def test_new_categories_are_other_and_rare_ones_too():
    frame = pd.DataFrame({"a": [*"ccbbad"] * 10})
    preprocessor = ae_multi.make_preprocessor(max_categories=2).fit(frame)
    names = ["a=b", "a=c", "a is other", "a is missing"]
    assert preprocessor.feature_names_out_.tolist() == names
    features = preprocessor.transform(pd.DataFrame({"a": ["c", "a", "new", None]}))
    np.testing.assert_array_equal(features, np.eye(4)[[1, 2, 2, 3]])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (np.arange(30), "identifier"),
        (np.random.default_rng(0).permutation(30), "identifier"),
        (np.arange(0, 300, 7), "identifier"),
        (np.arange(10), "number"),
        (np.arange(30) / 4, "number"),
        (np.arange(30) % 29, "number"),
        ([f"u{number}" for number in range(30)], "identifier"),
        ([f"u{number % 15}" for number in range(30)], "category"),
        (["2026-01-05", "2026-01-03"] * 15, "date"),
        (sorted(["2026-01-05", "2026-01-03"] * 15), "clock"),
        (["True", "false"] * 15, "boolean"),
        (["1", "2.5"] * 15, "number"),
        ([*"123A"] * 30, "category"),
        ([*"1" * 99, "A"], "category"),
        ([None] * 30, "constant"),
        ([5.0] * 30, "constant"),
        ([5.0, None] * 15, "number"),
        (pd.Categorical([1, 2] * 15), "category"),
    ],
    ids=str,
)
def test_kind_of_a_column(values, kind):
    frame = pd.DataFrame({"a": values, "b": np.random.default_rng(1).random(len(values))})
    assert ae_multi.make_preprocessor().fit(frame).columns_ == {"a": kind, "b": "number"}


def test_few_faults_among_many_numbers_are_refused():
    values = [str(number / 7) for number in range(100)]
    values[40] = "n/a?"
    with pytest.raises(InputError, match=r"a number, as in 99\.0% .*'a', row 40\. .*'n/a\?'"):
        ae_multi.make_preprocessor().fit(pd.DataFrame({"a": values}))
    chosen = ae_multi.make_preprocessor(kinds={"a": "category"}).fit(pd.DataFrame({"a": values}))
    assert chosen.columns_ == {"a": "category"}


def test_kinds_and_dropped_columns_can_be_set(frame):
    kinds = {"row": "number", "running": "category", "time": "date", "speed": "identifier"}
    preprocessor = ae_multi.make_preprocessor(kinds=kinds, drop=["city"]).fit(frame)
    assert preprocessor.columns_ == {**KINDS, **kinds, "city": "dropped"}
    assert {"running=true", "running=false", "row", "time days"} <= {*preprocessor.source_}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_categories": 0}, "max_categories to be an integer of at least 1"),
        ({"kinds": {"speed": "float"}}, "Received: 'float' for 'speed'"),
        ({"kinds": "number"}, "kinds to be a dict .* Received: 'number'"),
        ({"drop": "city"}, "drop to be a list of names. Received: 'city'"),
        ({"drop": ["town"]}, "names of columns of X, 'row', .* Received: 'town'"),
        ({"kinds": {"town": "category"}}, "Received: 'town'"),
        ({"drop": [*KINDS]}, "at least one column .* Received: row .dropped"),
    ],
    ids=str,
)
def test_invalid_parameters_are_refused(parameters, message, frame):
    with pytest.raises(InputError, match=message):
        ae_multi.make_preprocessor(**parameters).fit(frame)


def test_names_of_features_are_unique():
    frame = pd.DataFrame({"a": ["x", "y", None], "a=x": [1.0, 2.0, 3.0]})
    preprocessor = ae_multi.make_preprocessor().fit(frame)
    assert preprocessor.source_ == {
        "a=x": "a", "a=y": "a", "a is other": "a", "a is missing": "a", "a=x'": "a=x",
    }  # fmt: skip


def test_state_is_plain_and_complete(fitted, frame):
    plain = json.loads(json.dumps(to_plain(fitted)))
    for encoder in plain["fitted"]["encoders"].values():
        encoder.update({k: tuple(v) for k, v in encoder.items() if isinstance(v, list)})
    loaded = from_plain(plain)
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.transform(frame), fitted.transform(frame))
        assert other.columns_ == fitted.columns_
        assert other.feature_names_in_.tolist() == fitted.feature_names_in_.tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"median": np.nan},
        {"median": "1"},
        {"varies": 1},
        {"kind": "category"},
        {"kind": "code"},
        {"more": 1},
    ],
    ids=str,
)
def test_altered_state_is_refused(fitted, change):
    plain = to_plain(fitted)
    plain["fitted"]["encoders"]["speed"] |= change
    with pytest.raises(InputError):
        from_plain(plain)


def test_output_can_be_a_frame(frame):
    preprocessor = ae_multi.make_preprocessor().set_output(transform="pandas").fit(frame)
    framed = preprocessor.transform(frame)
    assert framed.columns.tolist() == preprocessor.feature_names_out_.tolist()


@pytest.mark.parametrize(
    "check",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimators_unfitted",
        "check_get_params_invariance",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_transformers_unfitted",
        "check_valid_tag_types",
    ],
)
def test_scikit_learn_checks_pass(check):
    preprocessor = ae_multi.TablePreprocessor()
    getattr(estimator_checks, check)("TablePreprocessor", preprocessor)


@pytest.mark.parametrize(
    ("texts", "hinted"),
    [
        (["1.234,5", "0,25", "7", "-3,5e2", None] * 5, True),
        ([f"{number},{number}5" for number in range(30)], True),
        (["1,234", "12,345", "7", "1,234,567"] * 5, False),
        (["1,5", "2,5", "high"] * 5, False),
        (["1.5", "on"] * 5, False),
    ],
    ids=["few values", "all distinct", "thousands", "words", "points"],
)
def test_numbers_with_decimal_commas_are_hinted_at(texts, hinted, caplog):
    x = pd.DataFrame({"flow": pd.Series(texts, dtype=object), "b": range(len(texts))})
    with caplog.at_level(logging.INFO, "ae_multi"):
        ae_multi.TablePreprocessor(kinds={"b": "number"}).fit(x)
    assert any("decimal comma" in line and "'flow'" in line for line in caplog.messages) == hinted


def test_a_table_of_decimal_commas_only_is_an_error_that_hints_at_them():
    x = pd.DataFrame({"flow": [f"{number},5" for number in range(30)]})
    with pytest.raises(InputError, match=r"decimal comma.*'flow'"):
        ae_multi.TablePreprocessor().fit(x)
