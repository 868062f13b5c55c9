"""Contents of a report on anomaly scores, from a fitted detector."""

import base64
import io

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from sklearn.decomposition import PCA

from ae_multi import AnomalyDetector, TimeSeriesDetector
from ae_multi.errors import InputError
from ae_multi.report.detection import write_detection_report
from ae_multi.tasks import detect_baselines, report_images
from ae_multi.tasks.detect_report import detection_report
from ae_multi.tasks.report_columns import shown_value, typical_values, values_of_columns
from ae_multi.tasks.report_points import select_points, strangest_rows
from ae_multi.tasks.report_series import nearest_windows, samples_and_codes
from tests.reference.html_page import Page

pytestmark = [pytest.mark.backend, pytest.mark.once]

NAMES = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def rows():
    """Return 300 rows near a plane; column 3 of every 20th row is off it."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2)) @ rng.normal(size=(2, 5)) + rng.normal(0, 0.01, (300, 5))
    x[::20, 3] += 4
    return x


@pytest.fixture(scope="module")
def detector(rows):
    """Return a detector that was fitted to the rows."""
    return AnomalyDetector(latent_dim=3, contamination=0.06, criterion="mse", epochs=30).fit(rows)


def test_scores_contributions_and_strangest_rows_are_those_of_the_detector(rows, detector):
    report = detection_report(detector, rows, columns=NAMES, baselines=False)
    scores = detector.anomaly_score(rows)
    np.testing.assert_array_equal(report.scores, scores)
    np.testing.assert_array_equal(report.alarms, detector.predict(rows) == -1)
    np.testing.assert_array_equal(report.strangest, np.argsort(-scores)[:12])
    errors = detector.feature_errors(rows)
    np.testing.assert_allclose(report.contributions, errors[report.strangest], rtol=1e-5)
    shares = errors / errors.sum(axis=1, keepdims=True)
    expected = [shares[report.alarms].mean(axis=0), shares[~report.alarms].mean(axis=0)]
    np.testing.assert_allclose(report.column_shares, expected, rtol=1e-4)
    row = report.strangest[0]
    largest = NAMES[errors[row].argmax()]
    assert report.reasons[row].startswith(f"{largest}: {rows[row, errors[row].argmax()]:.4g} (")
    assert report.values[0] == [f"{value:.4g}" for value in rows[row]]


def test_typical_values_are_quantiles_of_rows_below_the_threshold(rows, detector):
    report = detection_report(detector, rows, columns=NAMES, baselines=False)
    low, middle, high = np.quantile(rows[~report.alarms], (0.05, 0.5, 0.95), axis=0)
    for column, typical in enumerate(report.typical):
        assert typical == tuple(f"{each[column]:.4g}" for each in (middle, low, high))


def test_map_shows_the_principal_components_of_the_codes(rows, detector):
    report = detection_report(detector, rows, baselines=False)
    codes = detector.network_.encoder.predict(detector._checked(rows), verbose=0)
    expected = PCA(2).fit_transform(codes)
    for one, other in zip(report.map_points.T, expected.T, strict=True):
        assert abs(np.corrcoef(one, other)[0, 1]) > 0.9999
    assert "first principal component" in report.map_axes[0]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_rows_are_reported(count, rows, detector, tmp_path):
    report = write_detection_report(detector, rows[:count], tmp_path / "out.html")
    assert report.map_points.shape == (count, 2)
    assert report.baselines == {}


def test_equal_rows_are_reported(rows, detector, tmp_path):
    x = np.repeat(rows[:1], 30, axis=0)
    report = write_detection_report(detector, x, tmp_path / "out.html")
    assert report.typical[0].middle == report.typical[0].low == f"{x[0, 0]:.4g}"


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_name_their_columns(frame, rows):
    x = frame(dict(zip(NAMES, rows.T, strict=True)))
    detector = AnomalyDetector(latent_dim=1, epochs=1).fit(x)
    report = detection_report(detector, x, baselines=False)
    assert report.columns == NAMES
    assert report.values[0] == [f"{value:.4g}" for value in rows[report.strangest[0]]]
    assert report.map_axes == ("code", "score")


def test_raw_columns_of_a_frame_are_shown():
    class Detector(AnomalyDetector):
        """A detector of frames, whose score is the column "b"."""

        def _checked(self, x):
            return np.stack([np.asarray(x["b"], np.float32)] * 5, axis=1)

        def anomaly_score(self, X):  # noqa: N803
            return np.asarray(X["b"], np.float64)

        def column_errors(self, X):  # noqa: N803
            b = np.asarray(X["b"])
            return pd.DataFrame({"a": 0 * b, "b": b, "when": 0.1 * b})

    frame = pd.DataFrame(
        {
            "a": ["red", None, "red", "blue"] * 25,
            "b": np.arange(100.0),
            "when": pd.date_range("2026-01-01", periods=100),
        }
    )
    detector = Detector(latent_dim=2, epochs=1).fit(np.random.default_rng(0).random((50, 5)))
    report = detection_report(detector, frame, baselines=False)
    assert report.columns == ["a", "b", "when"]
    assert report.values[0] == ["blue", "99", "2026-04-10 00:00:00"]
    assert report.values[2] == ["missing", "97", "2026-04-08 00:00:00"]
    assert report.reasons[99].startswith("b: 99 (91 %); when: 2026-04-10")
    assert report.typical[0].middle == "red"


def test_alarms_are_kept_when_points_are_thinned():
    scores = np.random.default_rng(0).random(10_000)
    points, sentence = select_points(scores, 0.99, 200, 300)
    alarms = np.flatnonzero(scores > 0.99)
    assert set(alarms) <= set(points)
    assert len(points) <= len(alarms) + 300
    assert sentence.startswith(f"The plots show {len(points)} of 10,000 rows: all {len(alarms)} be")
    assert np.array_equal(points, select_points(scores, 0.99, 200, 300)[0])
    points, sentence = select_points(scores, 0.5, 200, 300)
    assert set(np.argsort(-scores)[:200]) <= set(points)
    assert "the highest 200 beyond" in sentence
    assert select_points(scores, 0.99, 10_000, 10_000)[1] == "The plots show all rows."
    # The strangest rows are kept even if none is beyond the threshold.
    assert scores.argmax() in select_points(scores, 2.0, 200, 300)[0]


def test_baselines_equal_a_fit_by_hand(rows):
    found = detect_baselines.scores(rows, 2)
    assert list(found) == ["PCA-2", "isolation forest", "5 nearest neighbours"]
    scaled = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    u, s, v = np.linalg.svd(scaled, full_matrices=False)
    expected = np.mean((scaled - (u[:, :2] * s[:2]) @ v[:2]) ** 2, axis=1)
    np.testing.assert_allclose(found["PCA-2"], expected, rtol=1e-6)
    distances = np.linalg.norm(scaled[:, None] - scaled, axis=-1)
    nearest = np.sort(distances, axis=1)[:, 1:6].mean(axis=1)
    np.testing.assert_allclose(found["5 nearest neighbours"], nearest, rtol=1e-6)
    wide = np.random.default_rng(0).random((30, 3000))
    assert detect_baselines.scores(wide, 2)["PCA-2"].shape == (30,)
    assert detect_baselines.scores(rows[:10], 2) == {}
    assert detect_baselines.scores(np.repeat(rows[:1], 30, axis=0), 2) == {}


def test_report_of_images_shows_images_reconstructions_and_errors(digits, tmp_path):
    zeros = digits.x_train[digits.y_train == 0]
    detector = AnomalyDetector(epochs=5).fit(zeros)
    x, path = digits.x_test[:60], tmp_path / "out.html"
    report = write_detection_report(detector, x, path, anomalous=digits.y_test[:60] != 0)
    assert (len(report.pictures), len(report.thumbnails)) == (12, 60)
    assert report.unit == "images"
    row = report.strangest[0]
    shown = np.asarray(Image.open(decoded(report.pictures[0][0]))) / 255
    np.testing.assert_allclose(shown, x[row, ..., 0], atol=1 / 255)
    small = np.asarray(Image.open(decoded(report.thumbnails[row]))) / 255
    np.testing.assert_allclose(small, x[row, ..., 0], atol=1 / 255)
    errors = np.asarray(Image.open(decoded(report.pictures[0][2])).convert("L"), float)
    expected = detector.feature_errors(x[row : row + 1])[0, ..., 0]
    assert expected[errors > 150].min() > expected[errors < 50].max()
    images = [attributes for name, attributes in Page(path.read_text()).elements if name == "img"]
    assert len(images) == 36
    assert all(attributes["alt"] for attributes in images)


def decoded(uri):
    assert uri.startswith("data:image/png;base64,")
    return io.BytesIO(base64.b64decode(uri.partition(",")[2]))


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 1), (64, 64, 3), (20, 200, 4)])
def test_thumbnails_of_a_page_take_less_than_three_megabytes(shape):
    count = report_images.max_thumbnails(shape)
    images = np.random.default_rng(0).random((20, *shape))
    uris = report_images.pngs(images, (0, 1), report_images.THUMBNAIL)
    assert count * np.mean([len(uri) for uri in uris]) < 3e6
    assert count == 2000 or shape == (64, 64, 3)


def test_large_images_are_reduced_and_channels_kept():
    images = np.random.default_rng(0).random((2, 100, 50, 3))
    uris = report_images.pngs(images, (0, 1), report_images.THUMBNAIL)
    assert Image.open(decoded(uris[0])).size == (16, 32)
    assert Image.open(decoded(uris[0])).mode == "RGB"
    assert Image.open(decoded(report_images.pngs(images[..., :2], (0, 1))[0])).mode == "L"


def test_times_and_labels_are_converted(rows, detector):
    days = [f"2026-01-{day:02d}" for day in range(1, 31)] * 10
    report = detection_report(detector, rows, times=days, anomalous=[0, 1] * 150, baselines=False)
    assert report.times[0] == np.datetime64("2026-01-01")
    assert report.anomalous.dtype == bool
    report = detection_report(detector, rows, times=np.arange(300), ids=range(300), baselines={})
    assert report.times.dtype == np.float64
    assert report.ids[7] == "7"


@pytest.mark.parametrize("as_times", [list, lambda times: [str(time) for time in times]])
def test_times_with_a_zone_are_in_utc(as_times, rows, detector):
    local = pd.date_range("2026-01-01T01:00", periods=300, tz="Europe/Berlin")
    report = detection_report(detector, rows, times=as_times(local), baselines=False)
    assert report.times[0] == np.datetime64("2026-01-01T00:00")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anomalous": [0, 1]}, "anomalous to have one value for each of the 300"),
        ({"anomalous": [2] * 300}, "booleans, or 1 for anomalies"),
        ({"times": ["noon"] * 300}, "ISO 8601"),
        ({"columns": ["a", "b"]}, "5 different names"),
        ({"columns": ["a"] * 5}, "5 different names"),
        ({"baselines": {"own": [1.0]}}, "baseline own to have one value"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message, rows, detector):
    with pytest.raises(InputError, match=message):
        detection_report(detector, rows, **{"baselines": False, **options})


def test_values_of_any_type_become_text():
    values = [
        None,
        np.nan,
        np.datetime64("NaT"),
        pd.NA,
        pd.NaT,
        True,
        3,
        1234.5678,
        "x" * 70,
        np.float32(0.1),
    ]
    assert [shown_value(value) for value in values] == [
        *["missing"] * 5, "yes", "3", "1235", "x" * 59 + "…", "0.1",
    ]  # fmt: skip
    assert shown_value(np.datetime64("2026-01-01T10:30:00.250")) == "2026-01-01 10:30:00.250"


def test_typical_values_of_text_dates_and_missing_values():
    frame = pd.DataFrame(
        {
            "text": ["red"] * 3 + ["blue"],
            "date": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03", None]),
            "number": [1.0, 2.0, 3.0, np.nan],
            "empty": [np.nan] * 4,
            "nullable": pd.array([1, 2, 3, None], "Int64"),
        }
    )
    text, date, number, empty, nullable = map(typical_values, values_of_columns(frame, list(frame)))
    assert (text.middle, text.interval) == ("red", "75 % of 2 values")
    assert date.middle.startswith("2026-01-02")
    assert number == nullable == ("2", "1.1", "2.9")
    assert empty.middle == "missing"
    assert np.isnan(values_of_columns(frame, ["text", "other"])[1]).all()


def test_strangest_rows_of_a_series_are_a_window_apart():
    scores = np.array([1, 9, 8, 2, 7, 6, 0.0])
    assert strangest_rows(scores).tolist() == [1, 2, 4, 5, 3, 0, 6]
    assert strangest_rows(scores, 3).tolist() == [1, 4]
    assert len(strangest_rows(np.arange(100.0))) == 12


def test_code_of_a_row_is_that_of_the_nearest_window():
    # Centres at 1.5, 5.5 and 7.5.
    found = nearest_windows(np.array([0, 4, 6]), 10, 4)
    assert found.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_report_of_a_series(rows):
    series = np.cumsum(rows, axis=0)
    detector = TimeSeriesDetector(16, 4, "deep", hidden=(8,), epochs=2).fit(series)
    report = detection_report(detector, series, columns=NAMES)
    np.testing.assert_array_equal(report.scores, detector.anomaly_score(series))
    np.testing.assert_array_equal(report.strangest, strangest_rows(report.scores, 16))
    errors = detector.column_errors(series)
    np.testing.assert_allclose(report.contributions, errors[report.strangest], rtol=1e-5)
    assert [*report.baselines] == ["PCA-1", "isolation forest", "5 nearest neighbours"]
    scaled, codes = samples_and_codes(detector, series)
    # Row 152 is nearest to the centre of the window that begins at 144.
    expected = detector.network_.encoder.predict(scaled[None, 144:160], verbose=0)[0]
    np.testing.assert_allclose(codes[152], expected, rtol=1e-4, atol=1e-5)
    assert report.window == 16
    assert "in windows of 16 rows" in report.facts["Trained on"]
