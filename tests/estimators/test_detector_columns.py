"""`AnomalyDetector` on real tables: preprocessing, shares of columns, files and pickles."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import ae_multi
from ae_multi.data.columns import columns_of
from ae_multi.errors import InputError
from ae_multi.estimators.detector_columns import _components
from ae_multi.estimators.inputs import held_out
from tests.estimators.test_persistence import change, rewrite
from tests.reference.real_tables import KINDS, real_table

pytestmark = pytest.mark.backend

PARAMETERS = {"criterion": "mse", "epochs": 60, "scale": "standard"}
ENCODED = ["time", "speed", "pressure", "running", "city", "serviced"]


def remove(group, name):
    """Return a function that removes an entry of a manifest."""
    return lambda manifest: manifest[group].pop(name)


@pytest.fixture(scope="module")
def tables():
    """Return (training rows, new rows, which new rows are anomalous)."""
    columns, new = real_table(), real_table(seed=1)
    broken = np.array(new.pop("alarm")) == 1
    is_normal = np.array(columns.pop("alarm")) == 0
    return pd.DataFrame(columns)[is_normal], pd.DataFrame(new), broken


@pytest.fixture(scope="module")
def detector(tables):
    return ae_multi.AnomalyDetector(preprocessor="auto", **PARAMETERS).fit(tables[0])


def test_anomalies_of_a_real_table_are_found(detector, tables):
    _, new, broken = tables
    scores = detector.anomaly_score(new)
    assert roc_auc_score(broken, scores) > 0.9
    # The detector of the preprocessed table is the same.
    size = detector.network_.encoder.output_shape[1]
    plain = ae_multi.AnomalyDetector(**PARAMETERS, latent_dim=size).fit(
        detector.preprocessor_.transform(tables[0])
    )
    features = detector.preprocessor_.transform(new)
    np.testing.assert_allclose(plain.anomaly_score(features), scores, rtol=1e-5)
    assert detector.n_features_in_ == features.shape[1] == len(detector.preprocessor_.source_)


@pytest.mark.once
@pytest.mark.parametrize(
    ("kind", "scaler"), [("minmax", MinMaxScaler()), ("standard", StandardScaler()), (None, None)]
)
def test_code_has_as_many_numbers_as_explain_the_variance(kind, scaler, tables):
    features = ae_multi.make_preprocessor().fit_transform(tables[0])
    scaled = features if scaler is None else scaler.fit_transform(features)
    expected = PCA(n_components=0.9, svd_solver="full").fit(scaled).n_components_
    detector = ae_multi.AnomalyDetector("simple", preprocessor="auto", scale=kind, epochs=1)
    if kind is None:
        assert _components(features, None) == expected
        return
    detector.fit(tables[0])
    assert detector.network_.encoder.output_shape == (None, expected)


@pytest.mark.once
def test_column_errors_are_sums_of_feature_errors(detector, tables):
    _, new, broken = tables
    errors = detector.column_errors(new)
    assert detector.column_names_.tolist() == ENCODED
    assert errors.shape == (2000, 6)
    total = errors.sum(axis=1) / detector.n_features_in_
    np.testing.assert_allclose(total, detector.anomaly_score(new), rtol=1e-5)
    names = [*detector.preprocessor_.source_.values()]
    of_time = [place for place, name in enumerate(names) if name == "time"]
    by_hand = detector.feature_errors(new)[:, of_time].sum(axis=1)
    np.testing.assert_allclose(errors[:, 0], by_hand, rtol=1e-6)
    # The pressure does not belong to the speed of the row.
    ratio = errors[broken].mean(axis=0) / errors[~broken].mean(axis=0)
    assert ENCODED[int(np.argmax(ratio))] == "pressure"


@pytest.mark.once
def test_column_errors_without_a_preprocessor_are_feature_errors(x):
    detector = ae_multi.AnomalyDetector("simple", epochs=1).fit(x)
    assert detector.column_names_.tolist()[:2] == ["x0", "x1"]
    np.testing.assert_array_equal(detector.column_errors(x), detector.feature_errors(x))
    named = ae_multi.AnomalyDetector("simple", epochs=1).fit(
        pd.DataFrame(x[:, :2], columns=[*"ab"])
    )
    assert named.column_names_.tolist() == ["a", "b"]
    images = ae_multi.AnomalyDetector("simple", epochs=1).fit(x.reshape(-1, 3, 4))
    with pytest.raises(InputError, match=r"detector of tables\. Received: one of images"):
        images.column_errors(x.reshape(-1, 3, 4))


def test_saved_pickled_and_reordered_scores_are_equal(detector, tables, tmp_path):
    new = tables[1]
    expected = detector.anomaly_score(new)
    detector.save(tmp_path / "pump.ae")
    loaded = ae_multi.load_estimator(tmp_path / "pump.ae")
    for other in (loaded, pickle.loads(pickle.dumps(detector))):
        np.testing.assert_array_equal(other.anomaly_score(new), expected)
        np.testing.assert_array_equal(other.predict_proba(new), detector.predict_proba(new))
        assert other.preprocessor == "auto"
        assert other.preprocessor_.columns_ == KINDS
    assert set(vars(loaded)) == set(vars(detector))
    np.testing.assert_array_equal(loaded.anomaly_score(new[new.columns[::-1]]), expected)
    with pytest.raises(InputError, match="X without 'speed'"):
        loaded.predict(new.drop(columns="speed"))
    changed = new.astype({"pressure": object})
    changed.loc[2, "pressure"] = "high"
    with pytest.raises(InputError, match=r"'pressure', row 2\. Received: 'high'"):
        loaded.predict(changed)


@pytest.mark.once
@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        (change("fitted", "preprocessor_", value=None), "preprocessor_ to be a value"),
        (change("parameters", "preprocessor", value=None), "preprocessor_ to be a value"),
        (change("parameters", "preprocessor", value="off"), "preprocessor to be None, 'auto' or"),
        (change("fitted", "preprocessor_", value={"preprocessor": 1}), "state of a preprocessor"),
        (change("fitted", "reference_", value="others"), "reference_ to be a value"),
        (change("fitted", "reference_count_", value=3), "reference_count_ to be a value"),
        (remove("fitted", "offset_"), "the fitted attribute offset_. Received: none"),
        (remove("fitted", "preprocessor_"), "the fitted attribute preprocessor_"),
        (remove("fitted", "reference_"), "the fitted attribute reference_"),
    ],
    ids=["none", "parameter", "name", "state", "reference", "count", "no threshold",
         "no preprocessor", "no reference"],
)  # fmt: skip
def test_altered_file_is_refused(detector, tmp_path, manifest, message):
    detector.save(tmp_path / "pump.ae")
    rewrite(tmp_path / "pump.ae", manifest)
    with pytest.raises(InputError, match=re.escape(message)):
        ae_multi.load_estimator(tmp_path / "pump.ae")


@pytest.mark.once
def test_exported_graph_takes_the_features(detector, tables, tmp_path, torch):
    features = detector.preprocessor_.transform(tables[1][:100])
    detector.export(tmp_path / "pump.pt2", data=features)
    program = torch.export.load(tmp_path / "pump.pt2").module()
    outputs = program(torch.tensor(features, dtype=torch.float32))
    labels = outputs["label"].numpy()
    np.testing.assert_array_equal(labels, detector.predict(tables[1][:100]))


@pytest.mark.once
def test_given_preprocessor_is_cloned_and_saved(tables, tmp_path):
    given = ae_multi.make_preprocessor(drop=["city"], kinds={"row": "number"})
    detector = ae_multi.AnomalyDetector("simple", preprocessor=given, epochs=1)
    assert clone(detector).get_params()["preprocessor__drop"] == ["city"]
    detector.fit(tables[0])
    assert detector.preprocessor is given
    assert not hasattr(given, "columns_")
    detector.save(tmp_path / "one.ae")
    loaded = ae_multi.load_estimator(tmp_path / "one.ae")
    assert loaded.preprocessor.get_params() == given.get_params()
    assert loaded.preprocessor_.columns_ == {**KINDS, "city": "dropped", "row": "number"}
    loaded.fit(tables[0])
    np.testing.assert_array_equal(loaded.predict(tables[1]), detector.predict(tables[1]))


@pytest.mark.once
def test_held_out_rows_do_not_influence_the_preprocessor(tables):
    frame = tables[0].reset_index(drop=True)
    kept, out = held_out(0, "calibration", len(frame), 0.1)
    changed = frame.astype({"city": object})
    changed.loc[out, "city"] = "Paris"
    changed.loc[out, "speed"] = 1e6
    detector = ae_multi.AnomalyDetector(
        "simple", preprocessor="auto", contamination="held_out", epochs=1
    ).fit(changed)
    expected = ae_multi.make_preprocessor().fit(frame.iloc[kept])
    assert detector.preprocessor_.encoders_ == expected.encoders_
    assert len(columns_of(changed)["city"].values) == len(frame)


@pytest.mark.once
def test_chunks_are_preprocessed_as_the_first_one(tables, caplog):
    frame = tables[0]
    detector = ae_multi.AnomalyDetector("simple", preprocessor="auto", epochs=2)
    detector.fit_chunks([frame[:1000], frame[1000:]])
    assert [record.getMessage()[:8] for record in caplog.records] == ["Left out"]
    expected = ae_multi.make_preprocessor().fit(frame[:1000])
    assert detector.preprocessor_.encoders_ == expected.encoders_
    detector.partial_fit(frame[1000:])
    assert detector.preprocessor_.encoders_ == expected.encoders_


@pytest.mark.once
def test_interrupted_fit_of_a_table_is_resumed(tables, tmp_path):
    parameters = {"model": "simple", "preprocessor": "auto", "epochs": 3}
    detectors = [
        ae_multi.AnomalyDetector(**parameters, checkpoint=tmp_path).fit(tables[0]) for _ in range(2)
    ]
    assert len([*tmp_path.glob("*/lock")]) == 1
    assert detectors[0].loss_curve_ == detectors[1].loss_curve_
    np.testing.assert_array_equal(*(each.predict(tables[1]) for each in detectors))


@pytest.mark.once
@pytest.mark.parametrize("preprocessor", ["automatic", 1, dict], ids=str)
def test_other_preprocessors_are_refused(preprocessor, x):
    with pytest.raises(InputError, match="preprocessor to be None, 'auto' or a TablePreprocessor"):
        ae_multi.AnomalyDetector(preprocessor=preprocessor).fit(x)
