"""``ae-multi detect fit``, ``score`` and ``report``: tables from files and standard input."""

import csv
import gzip
import io
import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import ae_multi
from tests.reference.real_tables import KINDS, real_table, write_table

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with tables to fit and to score, and a saved detector."""
    from ae_multi.cli import main

    folder = tmp_path_factory.mktemp("tables")
    write_table(folder / "fit.csv", real_table())
    new = real_table(300, seed=1)
    write_table(folder / "new.csv", {name: new[name] for name in new if name != "alarm"})
    arguments = ["detect", "fit", folder / "fit.csv", "--out", folder / "pump.ae", "--id", "row",
                 "--label", "alarm", "--false-alarm-rate", 0.02, "--epochs", 30,
                 "--json", folder / "fit.json"]  # fmt: skip
    assert main([*map(str, arguments)]) == 0
    return folder


def scored(run_here, table, folder, *options):
    """Score a table; return the rows of the scores."""
    out = folder / "scores.csv"
    done = run_here("detect", "score", table, "--model", folder / "pump.ae", "--out", out, *options)
    assert done.returncode == 0, done.stderr
    with open(out, newline="") as file:
        return [*csv.DictReader(file)]


def test_fit_writes_the_detector_and_the_comparison(folder):
    result = json.loads((folder / "fit.json").read_text())
    assert [*result["results"]] == ["autoencoder", "PCA-4", "kNN-5", "isolation forest"]
    assert result["data"]["columns"] == {**KINDS, "alarm": "dropped"}
    assert result["data"]["left_out"] == ["row", "serial", "unit", "alarm"]
    labels = np.array(real_table()["alarm"])
    normal = int((labels == 0).sum())
    # Anomalous rows and a fifth of the normal ones are left for judging.
    assert result["data"]["train_rows"] == normal - round(0.2 * normal)
    assert result["data"]["test_rows"] == round(0.2 * normal) + (labels == 1).sum()
    detector = ae_multi.load_estimator(folder / "pump.ae")
    assert detector.reference_ == "held_out"
    assert -detector.offset_ == result["settings"]["threshold"]


def test_scores_equal_those_of_the_detector(folder, run_here):
    rows = scored(run_here, folder / "new.csv", folder)
    frame = pd.DataFrame(real_table(300, seed=1))
    detector = ae_multi.load_estimator(folder / "pump.ae")
    assert [*rows[0]] == ["row", "score", "probability", "label", "column_1", "share_1",
                          "column_2", "share_2", "column_3", "share_3"]  # fmt: skip
    assert [row["row"] for row in rows] == [str(number) for number in range(1, 301)]
    scores = np.array([row["score"] for row in rows], float)
    np.testing.assert_allclose(scores, detector.anomaly_score(frame), rtol=1e-6)
    probabilities = np.array([row["probability"] for row in rows], float)
    expected = detector.predict_proba(frame)[:, 1]
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    labels = [{"normal": 1, "anomalous": -1}[row["label"]] for row in rows]
    np.testing.assert_array_equal(labels, detector.predict(frame))
    errors = detector.column_errors(frame)
    first = detector.column_names_[errors.argmax(axis=1)]
    assert [row["column_1"] for row in rows] == first.tolist()
    shares = errors.max(axis=1) / errors.sum(axis=1)
    np.testing.assert_allclose([float(row["share_1"]) for row in rows], shares, atol=1e-4)


@pytest.mark.parametrize("form", ["semicolon", "cp1252", "gzip", "parquet", "reordered", "stdin"])
def test_every_form_of_a_table_has_the_same_scores(form, folder, run_here, tmp_path, monkeypatch):
    columns = real_table(300, seed=1)
    path = tmp_path / "new.csv"
    if form == "semicolon":
        write_table(path, columns, separator=";")
    elif form == "cp1252":
        write_table(path, columns, encoding="cp1252")
    elif form == "gzip":
        path = tmp_path / "new.csv.gz"
        path.write_bytes(gzip.compress((folder / "new.csv").read_bytes()))
    elif form == "parquet":
        path = tmp_path / "new.parquet"
        pd.DataFrame(columns).to_parquet(path)
    elif form == "reordered":
        more = {"extra": ["x"] * 300}
        write_table(path, more | dict(reversed(columns.items())))
    else:
        path = "-"
        content = io.BytesIO((folder / "new.csv").read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content, encoding="utf-8"))
    expected = scored(run_here, folder / "new.csv", folder) if form != "stdin" else None
    rows = scored(run_here, path, folder)
    expected = expected or scored(run_here, folder / "new.csv", folder)
    assert [row["row"] for row in rows] == [row["row"] for row in expected]
    for name in ("score", "share_1"):
        got, want = ([float(row[name]) for row in each] for each in (rows, expected))
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4 if name == "share_1" else 0)


@pytest.mark.slow
def test_rows_of_standard_input_are_scored_as_they_arrive(folder):
    head, first, second, *_ = (folder / "new.csv").read_text(encoding="utf-8").splitlines()
    command = [sys.executable, "-m", "ae_multi", "detect", "score", "-", "--out", "-", "--model"]
    process = subprocess.Popen(
        [*command, str(folder / "pump.ae")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    with process:
        process.stdin.write(f"{head}\n{first}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("row,score,")
        assert process.stdout.readline().startswith("1,")  # before the second row is written
        process.stdin.write(f"{second}\n")
        process.stdin.flush()
        assert process.stdout.readline().startswith("2,")
        process.stdin.close()
        assert process.wait() == 0


def test_bad_cell_is_named_and_leaves_the_old_scores(folder, run_here, tmp_path):
    lines = (folder / "new.csv").read_text(encoding="utf-8").splitlines()
    cells = lines[41].split(",")
    cells[3] = "fast"
    lines[41] = ",".join(cells)
    table, out = tmp_path / "bad.csv", tmp_path / "scores.csv"
    table.write_text("\n".join(lines), encoding="utf-8")
    out.write_text("old")
    done = run_here("detect", "score", table, "--model", folder / "pump.ae", "--out", out)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"ae-multi detect score: Expected a finite number in the column 'speed', line 42 of "
        f"{table}. Received: 'fast'."
    )
    assert out.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "scores.csv"]


def test_missing_column_is_named(folder, run_here, tmp_path):
    columns = real_table(10)
    del columns["speed"], columns["row"]
    table = write_table(tmp_path / "t.csv", columns)
    done = run_here("detect", "score", table, "--model", folder / "pump.ae", "--out", "-")
    assert done.returncode == 2
    assert "Expected the columns of fit. Received: X without 'speed'" in done.stderr


def test_fit_without_labels_sets_the_kinds(folder, run_here, tmp_path):
    done = run_here("detect", "fit", folder / "new.csv", "--out", tmp_path / "a.ae", "--drop",
                    "city,serial", "--kind", "row=number", "--epochs", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Data: new.csv, 300 training rows (6 columns as " in done.stdout
    detector = ae_multi.load_estimator(tmp_path / "a.ae")
    kinds = {**KINDS, "city": "dropped", "serial": "dropped", "row": "number"}
    assert detector.preprocessor_.columns_ == kinds
    assert (detector.reference_, detector.contamination) == ("training", "auto")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--false-alarm-rate", "0.005"],
            "at least 398 normal rows for training with a false-alarm rate of 0.005, 199 of which "
            "are held out to set the threshold. Received: 300. Use more rows or a higher rate.",
        ),
        (["--false-alarm-rate", "2"], "false-alarm rate above 0 and below 1. Received: 2"),
        (["--label", "alarm"], "Expected a column of new.csv: row, serial, time, "),
        (["--id", "time", "--drop", "town"], "Received: 'town'"),
        (["--label", "running", "--epochs", "0"], "epochs to be an integer of at least 1"),
        (["--label", "city"], "1 or true for anomalous rows and 0 or false for normal ones in the "
         "column 'city', line "),
        (["--kind", "speed=float"], "Received: 'float' for 'speed'"),
        (["--kind", "city=number"], "a finite number in the column 'city', line 2 of "),
        (["--separator", ";"], "at least one column"),
        (["--out", "/nowhere/a.ae"], "/nowhere is not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_usage_errors_of_fit_are_one_line(options, message, folder, run_here, tmp_path):
    done = run_here("detect", "fit", folder / "new.csv", "--out", tmp_path / "a.ae", *options)
    assert done.returncode == 2
    error = done.stderr.splitlines()[-1]
    assert error.startswith("ae-multi detect fit: Expected")
    assert message in error
    assert not [*tmp_path.iterdir()]


def test_other_files_are_refused_as_a_model(folder, run_here, tmp_path, x):
    ae_multi.AnomalyDetector("simple", epochs=1).fit(x).save(tmp_path / "plain.ae")
    for model, message in (
        (tmp_path / "none.ae", "which is not a file"),
        (tmp_path / "plain.ae", "holds AnomalyDetector without a preprocessor"),
        (folder / "new.csv", "zip"),
    ):
        done = run_here("detect", "score", folder / "new.csv", "--model", model, "--out", "-")
        assert done.returncode == 2
        assert message in done.stderr


def test_report_shows_ids_typical_values_and_labels(folder, run_here, tmp_path):
    write_table(tmp_path / "labelled.csv", real_table(300, seed=1))
    page = tmp_path / "report.html"
    arguments = ["--model", folder / "pump.ae", "--out", page, "--label", "alarm"]
    done = run_here("detect", "report", tmp_path / "labelled.csv", *arguments)
    assert done.returncode == 0, done.stderr
    detector = ae_multi.load_estimator(folder / "pump.ae")
    frame = pd.DataFrame(real_table(300, seed=1))
    alarms = int((detector.predict(frame) == -1).sum())
    assert f"300 rows, {alarms} of which are anomalous" in done.stdout
    text = page.read_text()
    assert f"{alarms} of 300 rows" in text
    assert f"{int(frame['alarm'].sum())} anomalies" in text
    strangest = int(np.argmax(detector.anomaly_score(frame)))
    assert f"Row {frame['row'].iloc[strangest]}<" in text
    done = run_here("detect", "report", tmp_path / "labelled.csv", *arguments[:-1], "none")
    assert done.returncode == 2
    assert "Received: 'none'" in done.stderr
