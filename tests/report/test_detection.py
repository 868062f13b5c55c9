"""HTML report on anomaly scores."""

import base64
import json
import os
import re
import sys
from collections import Counter

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score

pytest.importorskip("bokeh")

from ae_multi.errors import InputError
from ae_multi.report.detection import report_page, write_report
from ae_multi.report.detection.plots import MAX_STORED
from ae_multi.report.detection.points import drawn_scores, is_logarithmic
from ae_multi.report.detection.tables import cost, overlap
from tests.reference.chromium import needs_chromium, render
from tests.reference.detection_reports import PNG, detection_report
from tests.reference.html_page import Page

pytestmark = [pytest.mark.backend, pytest.mark.once]

HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>&'"


def data_of(source):
    """Return the numbers that the page's script reads."""
    return json.loads(re.search(r'id="report-data">(.*?)</script>', source)[1])


def without_scripts(source):
    return re.sub(r"<script>.*?</script>", "", source, flags=re.DOTALL)


@pytest.mark.parametrize("threshold", [-1.0, 0.5, 1.0, 2.0, 3.0])
def test_cost_counts_alarms(threshold):
    scores = np.array([0.5, 1.0, 1.0, 2.0, 3.0])
    truth = np.array([True, False, True, False, True])
    found = cost(scores, truth, threshold)
    pairs = [(score > threshold, label) for score, label in zip(scores, truth, strict=True)]
    count = Counter((bool(alarm), bool(label)) for alarm, label in pairs)
    assert found["alarms"] == count[True, True] + count[True, False]
    assert found["false"] == count[True, False]
    assert found["recall"] == count[True, True] / 3
    if found["alarms"]:
        assert found["precision"] == count[True, True] / found["alarms"]
    else:
        assert np.isnan(found["precision"])
    assert cost(scores, None, threshold) == {"alarms": found["alarms"]}


def test_table_of_thresholds_equals_counts_by_numpy():
    report = detection_report(rows=2000)
    rows = Page(report_page(report)).data("threshold")
    found = Page(report_page(report))
    thresholds = [float(threshold) for (threshold,) in rows]
    assert thresholds[0] == report.threshold
    expected = [(report.scores > threshold) for threshold in thresholds]
    assert [float(n) for (n,) in found.data("alarms")] == [a.sum() for a in expected]
    assert [a.sum() for a in expected[1:]] == [2, 4, 10, 20, 40, 100, 200]
    truth = report.anomalous
    recalls = [float(value) for (value,) in found.data("recall")]
    precisions = [float(value) for (value,) in found.data("precision")]
    np.testing.assert_allclose(recalls, [(a & truth).sum() / truth.sum() for a in expected])
    np.testing.assert_allclose(precisions, [truth[a].mean() for a in expected])


def test_page_without_labels_states_no_precision():
    found = Page(report_page(detection_report(labels=False)))
    assert found.data("precision") == []
    assert "AUROC" not in " ".join(found.text)
    assert data_of(report_page(detection_report(labels=False)))["truth"] is None


def test_columns_of_strange_rows_are_ranked_by_contribution():
    report = detection_report(columns=[f"c{number}" for number in range(9)])
    cells = Page(report_page(report)).data("column", "share")
    assert len(cells) == 12 * 6
    for place, parts in enumerate(report.contributions):
        of_row = cells[6 * place : 6 * place + 6]
        assert [name for name, _ in of_row] == [f"c{n}" for n in np.argsort(-parts)[:6]]
        shares = np.sort(parts / parts.sum())[::-1][:6]
        np.testing.assert_allclose([float(share) for _, share in of_row], shares)


def test_arrows_mark_values_beyond_the_typical_interval():
    values = [["-1", "0.5", "2"]] + [["missing", "red", "0.5"]] * 11
    source = report_page(detection_report(values=values))
    assert source.count("↑\xa02<") == source.count("↓\xa0-1<") == 1
    assert source.count("↑\xa0") == source.count("↓\xa0") == 1


def test_measures_of_baselines_equal_those_of_scikit_learn_and_scipy():
    report = detection_report()
    cells = Page(report_page(report)).data("method", "measure", "exact")
    found = {(method, measure): float(value) for method, measure, value in cells}
    for name, scores in {"autoencoder": report.scores, **report.baselines}.items():
        assert found[name, "AUROC"] == roc_auc_score(report.anomalous, scores)
        precision = average_precision_score(report.anomalous, scores)
        assert found[name, "average precision"] == precision
    correlation = spearmanr(report.scores, report.baselines["PCA-2"]).statistic
    assert found["PCA-2", "rank correlation"] == pytest.approx(correlation)
    assert found["reversed", "rank correlation"] == pytest.approx(-1)
    assert found["reversed", "overlap"] == 0
    assert overlap(report.scores, report.scores**2) == 1


def test_better_baselines_are_named():
    report = detection_report()
    perfect = {"PCA-2": report.anomalous.astype(float), "reversed": -report.anomalous.astype(float)}
    source = report_page(detection_report(baselines=perfect))
    assert "by AUROC or average precision: PCA-2." in source


def test_script_gets_the_highest_scores_and_their_labels_in_order():
    report = detection_report(rows=MAX_STORED + 500)
    data = data_of(report_page(report))
    scores = np.frombuffer(base64.b64decode(data["scores"]), "<f8")
    truth = np.frombuffer(base64.b64decode(data["truth"]), np.uint8)
    order = np.argsort(report.scores)[500:]
    np.testing.assert_array_equal(scores, report.scores[order])
    np.testing.assert_array_equal(truth, report.anomalous[order])
    assert data["rows"] == MAX_STORED + 500
    assert data["anomalies"] == report.anomalous.sum()


def test_scores_of_zero_are_drawn_on_a_logarithmic_axis():
    scores = np.array([0.0, 1e-3, 1e-3, 1.0])
    assert is_logarithmic(scores)
    np.testing.assert_array_equal(drawn_scores(scores), [1e-3, 1e-3, 1e-3, 1.0])
    assert not is_logarithmic(np.array([-1.0, 0.1, 100.0]))
    assert not is_logarithmic(np.zeros(3))


@pytest.mark.parametrize(
    "scores",
    [np.zeros(50), np.full(50, 2.0), np.linspace(-3, 2, 50), np.r_[np.zeros(49), 1e-9]],
    ids=["zeros", "constant", "negative", "one positive"],
)
def test_unusual_scores_are_drawn(scores):
    changes = {"scores": scores, "threshold": 1.0, "strangest": np.arange(12)}
    source = report_page(detection_report(rows=50, **changes))
    assert "are beyond the threshold." in source


@pytest.mark.parametrize("field", ["title", "facts", "columns", "ids", "values", "reasons"])
def test_text_of_the_data_is_escaped(field):
    changes = {
        "title": {"title": HOSTILE},
        "facts": {"facts": {HOSTILE: HOSTILE}},
        "columns": {"columns": [HOSTILE, "b", "c"]},
        "ids": {"ids": [HOSTILE] * 500},
        "values": {"values": [[HOSTILE] * 3] * 12},
        "reasons": {"reasons": [HOSTILE] * 500},
    }[field]
    source = report_page(detection_report(**changes))
    found = Page(source)
    names = Counter(name for name, _ in found.elements)
    # The data block, BokehJS, the page's script and that of printing.
    assert (names["script"], names["img"]) == (4, 0)
    assert 'onerror="' not in source
    assert "<script>document" not in source


def test_page_loads_no_other_resources():
    source = report_page(detection_report(thumbnails=[PNG] * 500))
    body = without_scripts(source).split("<body>")[1]
    assert not re.search(r"https?:|[\"'(]//[a-z]|url\(|@import", body)
    for name, attributes in Page(source).elements:
        assert name not in ("link", "iframe", "object", "embed", "base")
        assert attributes.get("src", "data:").startswith("data:")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', source)[1]
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; ")
    assert policy.count("sha256-") == 3
    assert "unsafe-eval" not in policy


def test_controls_have_names_and_keys():
    found = Page(report_page(detection_report()))
    for _, attributes in found.elements:
        if "scroll" in attributes.get("class", "").split():
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
        if "plot" in attributes.get("class", "").split():
            assert attributes["aria-label"]
    names = Counter(name for name, _ in found.elements)
    assert names["label"] == names["input"] == 2


def test_fifty_thousand_rows_take_less_than_five_megabytes(tmp_path):
    names = [f"a column with a long name {number}" for number in range(26)]
    report = detection_report(rows=50_000, columns=names, alarms=6000)
    assert len(report.points) < 10_020
    write_report(tmp_path / "out.html", report)
    assert os.path.getsize(tmp_path / "out.html") < 5e6


def test_failed_write_leaves_the_old_page(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    path = tmp_path / "out.html"
    path.write_text("old")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(path, detection_report())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_bokeh_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh.plotting", None)
    with pytest.raises(InputError, match=r"pip install 'bokeh>=3"):
        write_report(tmp_path / "out.html", detection_report())
    assert list(tmp_path.iterdir()) == []


@needs_chromium
@pytest.mark.parametrize("kind", ["table", "images", "constant"])
def test_chromium_draws_the_page_without_errors(kind, tmp_path):
    changes = {"columns": [HOSTILE, "b", "c"], "ids": [HOSTILE] * 500, "title": "A title"}
    if kind == "images":
        changes |= {"thumbnails": [PNG] * 500, "pictures": [(PNG,) * 3] * 12, "reasons": ()}
        changes |= {"unit": "images", "times": np.datetime64("2026-01-01") + np.arange(500)}
    if kind == "constant":
        changes |= {"scores": np.ones(500), "threshold": 2.0, "strangest": np.arange(12)}
    report = detection_report(**changes)
    write_report(tmp_path / "out.html", report)
    process = render(tmp_path / "out.html", tmp_path, 5000)
    messages = [line for line in process.stderr.splitlines() if "CONSOLE" in line]
    assert all("[bokeh" in line for line in messages), messages
    assert '<body data-ready="true">' in process.stdout, process.stderr
    assert "<title>A title</title>" in process.stdout
    count = int((report.scores > report.threshold).sum())
    found = re.search(r'<output id="threshold-result"[^>]*>(.*?)</output>', process.stdout)[1]
    assert f": {count} of 500 {report.unit} are alarms" in found
    detected = int(report.anomalous[report.scores > report.threshold].sum())
    assert f"{detected} of {report.anomalous.sum()} anomalies are detected" in found
