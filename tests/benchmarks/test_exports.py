"""The documented table of exported files and the recorded results."""

import json

from ae_multi.exporting.check import BOUND
from ae_multi.exporting.formats import FORMATS
from benchmarks import exports
from benchmarks.exported import MODELS
from tests.reference.pages import ROOT

RECORDED = json.loads((ROOT / "benchmarks" / "results" / "exports-cpu.json").read_text())["exports"]


def test_document_contains_the_recorded_exports():
    docs = (ROOT / "docs" / "export.md").read_text()
    rows = [f"| {' | '.join(texts)} |" for texts in exports.lines(RECORDED)]
    assert len(rows) == len(FORMATS) * len(MODELS)
    for row in [f"| {' | '.join(exports.COLUMNS)} |", *rows]:
        assert row in docs
    for text in exports.detector_lines(RECORDED):
        assert text in docs


def test_recorded_exports_cover_all_formats_within_the_bound():
    combinations = {(each["backend"], each["format"], each["model"]) for each in RECORDED}
    assert len(combinations) == len(RECORDED) == 3 * len(FORMATS) * len(MODELS)
    for each in RECORDED:
        assert each["difference"] <= each["bound"] == BOUND
        assert (each["data"], each["samples"]) == ("mnist", 1000)
        if each["model"] == "AnomalyDetector":
            assert each["labels_that_differ"] == 0
            assert each["labels"]["1"] > 50
            assert each["labels"]["-1"] > 500
            assert abs(each["auroc"] - each["auroc_of_the_file"]) < 1e-6
