"""``ae-multi detect fit --window``: a table whose rows are the timestamps of a series."""

import csv
import io
import json
import sys

import numpy as np
import pandas as pd
import pytest

import ae_multi
from ae_multi.data.table_file import read_table
from ae_multi.estimators import windows
from ae_multi.tasks.detect_fit_series import fit_series
from ae_multi.tasks.result import Options
from tests.reference.real_tables import write_table
from tests.reference.series_tables import FAULT, series_table

pytestmark = [pytest.mark.backend, pytest.mark.once]

FIT = ["--window", 16, "--stride", 4, "--epochs", 30]


def without_label(columns):
    return {name: column for name, column in columns.items() if name != "alarm"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with series to fit and to score, and a saved detector."""
    from ae_multi.cli import main

    folder = tmp_path_factory.mktemp("series")
    write_table(folder / "fit.csv", without_label(series_table()))
    write_table(folder / "new.csv", without_label(series_table(seed=1, fault=True)))
    arguments = ["detect", "fit", folder / "fit.csv", "--out", folder / "pump.ae", "--id", "time",
                 "--false-alarm-rate", 0.1, "--json", folder / "fit.json", *FIT]  # fmt: skip
    assert main([*map(str, arguments)]) == 0
    return folder


def scored(run_here, table, folder, *options):
    """Score a series; return the finished command and the rows of the scores."""
    out = folder / "scores.csv"
    done = run_here("detect", "score", table, "--model", folder / "pump.ae", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    with open(out, newline="") as file:
        return done, [*csv.DictReader(file)]


def test_fit_saves_a_detector_of_series(folder):
    detector = ae_multi.load_estimator(folder / "pump.ae")
    assert type(detector) is ae_multi.TimeSeriesDetector
    assert (detector.window, detector.stride, detector.contamination) == (16, 4, "held_out")
    result = json.loads((folder / "fit.json").read_text())
    assert result["data"]["columns"] == {
        "time": "identifier", "inlet": "number", "outlet": "number", "load": "number",
        "running": "boolean", "site": "constant",
    }  # fmt: skip
    assert result["settings"]["threshold"] == -detector.offset_
    held_out = windows.split(0, 0, 900, 16, detector.validation_fraction).held_out
    blocks = sum((segment.stop - segment.start) // 16 for _, segment in held_out)
    assert blocks >= 9
    assert f"by {blocks} held-out blocks of 16 rows" in result["notes"][0]


def test_scores_and_intervals_are_those_of_the_detector(folder, run_here, tmp_path):
    done, rows = scored(run_here, folder / "new.csv", folder, "--intervals", tmp_path / "i.csv")
    frame = pd.DataFrame(without_label(series_table(seed=1, fault=True)))
    detector = ae_multi.load_estimator(folder / "pump.ae")
    assert [*rows[0]][:4] == ["time", "score", "probability", "label"]
    times = [str(time) for time in frame["time"]]
    assert [row["time"] for row in rows] == times
    scores = np.array([row["score"] for row in rows], float)
    np.testing.assert_allclose(scores, detector.anomaly_score(frame), rtol=1e-5)
    assert {row["probability"] for row in rows} == {""}
    labels = [{"normal": 1, "anomalous": -1}[row["label"]] for row in rows]
    np.testing.assert_array_equal(labels, detector.predict(frame))
    errors = detector.column_errors(frame)
    largest = detector.column_names_[errors.argmax(axis=1)]
    assert [row["column_1"] for row in rows] == largest.tolist()
    expected = detector.intervals(frame)
    with open(tmp_path / "i.csv", newline="") as file:
        found = [*csv.DictReader(file)]
    assert [(row["begin"], row["end"]) for row in found] == [
        (times[each.begin], times[each.end - 1]) for each in expected
    ]
    assert [row["sensors"] for row in found] == ["; ".join(each.sensors) for each in expected]
    highest = max(found, key=lambda row: float(row["peak"]))
    assert highest["sensors"] == "outlet"
    assert highest["begin"] < times[FAULT.stop]
    assert highest["end"] > times[FAULT.start]
    assert f"time {highest['begin']} to {highest['end']}: peak" in done.stdout


@pytest.mark.parametrize("form", ["parquet", "stdin"])
def test_windows_are_not_cut_at_the_parts_of_a_file(form, folder, run_here, tmp_path, monkeypatch):
    monkeypatch.setattr("ae_multi.data.table_file.ROWS_AT_ONCE", 100)
    path = folder / "new.csv"
    _, expected = scored(run_here, path, folder)
    if form == "parquet":
        path = tmp_path / "new.parquet"
        pd.DataFrame(without_label(series_table(seed=1, fault=True))).to_parquet(path)
    else:
        content = io.BytesIO(path.read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content, encoding="utf-8"))
        path = "-"
    _, rows = scored(run_here, path, folder)
    got, want = ([float(row["score"]) for row in each] for each in (rows, expected))
    np.testing.assert_allclose(got, want, rtol=1e-5)
    assert [row["time"] for row in rows] == [row["time"] for row in expected]


def test_labelled_series_trains_on_normal_stretches_and_judges_the_rest(tmp_path):
    columns = series_table(fault=True)
    table = read_table(write_table(tmp_path / "labelled.csv", columns))
    parameters = {"window": 16, "label": "alarm", "id_column": "time"}
    detector, result = fit_series(table, "x", Options(epochs=20), **parameters)
    assert [*result.rows] == ["autoencoder", "PCA-1", "kNN-5", "isolation forest"]
    # 860 normal rows, of which training takes the first 688, on both sides of the fault.
    assert result.data["train_rows"] == 688
    assert result.data["test_rows"] == 900 - 688
    assert (detector.stride, detector.preprocessor_.columns_["alarm"]) == (8, "dropped")
    plain = ae_multi.TimeSeriesDetector(**detector.get_params(deep=False))
    plain.fit([table.frame.iloc[:400], table.frame.iloc[440:728]])
    np.testing.assert_array_equal(plain.input_offset_, detector.input_offset_)
    np.testing.assert_allclose(plain.offset_, detector.offset_, rtol=1e-6)
    assert result.rows["autoencoder"][0] > 0.9


def test_bad_cell_is_named_by_its_line(folder, run_here, tmp_path):
    columns = series_table(300, fault=False)
    columns["inlet"][299] = "high"
    table = write_table(tmp_path / "bad.csv", columns)
    message = f"a finite number in the column 'inlet', line 301 of {table}. Received: 'high'."
    for arguments in (
        ["score", table, "--model", folder / "pump.ae", "--out", tmp_path / "a.csv"],
        ["fit", table, *FIT, "--out", tmp_path / "a.ae", "--kind", "inlet=number"],
    ):
        done = run_here("detect", *arguments)
        assert done.returncode == 2
        assert done.stderr.splitlines()[-1].endswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["bad.csv"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "16", "--false-alarm-rate", "0.01"], "at least 99 blocks of 16 normal rows"),
        (["--window", "16", "--false-alarm-rate", "2"], "false-alarm rate above 0 and below 1"),
        (["--stride", "4"], "Expected --stride with --window"),
        (["--window", "4", "--stride", "8"], "a stride of at most the window, 4"),
        (["--window", "0"], "window to be an integer of at least 1"),
        (["--window", "2000"], "at least 2000 timestamps, the window. Received: 900"),
        (["--window", "16", "--label", "running"], "at least 16 consecutive normal rows"),
        (["--window", "16", "--id", "clock"], "Received: 'clock'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_of_fit_are_one_line(options, message, folder, run_here, tmp_path):
    done = run_here("detect", "fit", folder / "fit.csv", "--out", tmp_path / "a.ae", *options)
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ae-multi detect fit: Expected")
    assert message in error
    assert not [*tmp_path.iterdir()]


def test_usage_errors_of_score_are_one_line(folder, run_here, tmp_path):
    columns = {name: column[:15] for name, column in series_table().items()}
    short = write_table(tmp_path / "short.csv", columns)
    done = run_here("detect", "score", short, "--model", folder / "pump.ae", "--out", "-")
    assert done.returncode == 2
    assert "at least 16 timestamps, the window. Received: 15" in done.stderr
    frame = pd.DataFrame({"a": np.arange(40.0) ** 2, "b": np.sin(np.arange(40.0))})
    rows = ae_multi.AnomalyDetector("simple", preprocessor="auto", epochs=1).fit(frame)
    rows.save(tmp_path / "rows.ae")
    done = run_here("detect", "score", folder / "new.csv", "--model", tmp_path / "rows.ae",
                    "--out", tmp_path / "a.csv", "--intervals", tmp_path / "i.csv")  # fmt: skip
    assert done.returncode == 2
    assert "Expected a detector of time series with --intervals" in done.stderr
    done = run_here("detect", "score", folder / "new.csv", "--model", folder / "pump.ae",
                    "--out", tmp_path / "a.csv", "--intervals", tmp_path / "a.csv")  # fmt: skip
    assert done.returncode == 2
    assert "Expected a file of its own" in done.stderr


def test_wrong_line_of_a_labelled_table_is_not_named(run_here, tmp_path):
    """Rows that are left out of training do not shift the line in the message."""
    columns = series_table(300, fault=False)
    columns["alarm"][:100] = [1] * 100
    columns["inlet"][290:] = ["high"] * 10
    table = write_table(tmp_path / "bad.csv", columns)
    done = run_here("detect", "fit", table, "--label", "alarm", "--out", tmp_path / "a.ae",
                    "--kind", "inlet=number", "--false-alarm-rate", 0.1)  # fmt: skip
    assert done.returncode == 2
    line = int(done.stderr.split("line ")[1].split(" ")[0])
    assert 292 <= line <= 301


def test_report_shows_the_course_and_the_codes_of_windows(folder, run_here, tmp_path):
    columns = series_table(seed=1, fault=True)
    table = write_table(tmp_path / "labelled.csv", columns)
    page = tmp_path / "report.html"
    done = run_here("detect", "report", table, "--model", folder / "pump.ae", "--out", page,
                    "--label", "alarm")  # fmt: skip
    assert done.returncode == 0, done.stderr
    detector = ae_multi.load_estimator(folder / "pump.ae")
    frame = pd.DataFrame(columns)
    alarms = int((detector.predict(frame) == -1).sum())
    assert f"900 rows, {alarms} of which are anomalous" in done.stdout
    text = page.read_text()
    assert "the window of 16 rows around one of these rows" in text
    strangest = int(np.argmax(detector.anomaly_score(frame)))
    assert f"Row {columns['time'][strangest]}<" in text


def test_times_in_no_order_are_warned_about(folder, run_here):
    columns = without_label(series_table(seed=1))
    lines = [*range(len(columns["time"]))]
    lines[5], lines[9] = lines[9], lines[5]
    swapped = {name: [values[line] for line in lines] for name, values in columns.items()}
    write_table(folder / "swapped.csv", swapped)
    done, _ = scored(run_here, folder / "swapped.csv", folder)
    times = columns["time"]
    assert f"line 8 of {folder / 'swapped.csv'} has {times[6]} after {times[9]}" in done.stderr
    fit = ["--out", folder / "swapped.ae", "--id", "time", "--window", 16, "--epochs", 1]
    assert "not in order" in run_here("detect", "fit", folder / "swapped.csv", *fit).stderr
    assert "not in order" not in scored(run_here, folder / "new.csv", folder)[0].stderr
