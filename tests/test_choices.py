"""The choice of the detector's score: what is compared, and on which samples."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import choices


@pytest.mark.backend
@pytest.mark.once
def test_the_default_is_among_what_is_compared(keras, monkeypatch):
    import ae_multi

    rng = np.random.default_rng(0)
    train, rows = rng.normal(size=(200, 4)), rng.normal(size=(60, 4))
    train[:, 3] = train[:, 0]
    strange = np.arange(60) < 20
    rows[~strange, 3] = rows[~strange, 0]
    monkeypatch.setattr(choices, "_tables", lambda: [("minmax", train, rows, strange)] * 2)
    monkeypatch.setattr(choices, "TABLES", (0.03, 0.1))
    monkeypatch.setattr(choices, "REMEMBERED", (50, 8000))
    found = choices.measure("odds")
    names = [tuple(c[name] for name in choices.CHOSEN) for c in found["choices"]]
    assert names == [(r, w, n) for r in (50, 8000) for n in (0.03, 0.1) for w in choices.WEIGHTS]
    detector = ae_multi.AnomalyDetector().fit(train)
    area = roc_auc_score(strange, detector.anomaly_score(rows))
    default = choices.best(found)[1]
    assert default["auroc"] == pytest.approx(area, abs=1e-3)
    assert default["parts"] == [default["auroc"]] * 2
    by = {name: c["auroc"] for name, c in zip(names, found["choices"], strict=True)}
    # Without weight there is nothing to ask neighbors for.
    assert by[50, 0.0, 0.03] == by[8000, 0.0, 0.1]
    assert by[50, 1.0, 0.1] != by[8000, 1.0, 0.1]


def test_digits_that_are_tested_on_are_not_looked_at(monkeypatch):
    class Data:
        x_train = np.arange(120, dtype=np.float32).reshape(60, 1, 2)
        y_train = np.arange(60) % 10

        @property
        def x_test(self):
            raise AssertionError("test images were asked for")

        y_test = x_test

    monkeypatch.setattr("ae_multi.data.load_data", lambda name: Data())
    for row, count in (("detect-one", 5), ("detect-nine", 45)):
        parts = list(choices._digits(row))
        assert len(parts) == 10
        for digit, (_, train, rows, strange) in enumerate(parts):
            assert len(train) == count
            assert not set(train.ravel()) & set(rows.ravel())
            assert strange.tolist() == [(d == digit) == (row == "detect-nine") for d in range(10)]


def test_the_table_says_what_was_best_and_what_is_the_default():
    grid = list(itertools.product(choices.REMEMBERED, choices.WEIGHTS, choices.IMAGES))
    found = {
        "row": "detect-one",
        "default": {"remembered": 8000, "weight": 2.0, "neighbors": 3},
        "choices": [
            {**dict(zip(choices.CHOSEN, choice, strict=True)), "auroc": 0.8, "parts": []}
            for choice in grid
        ],
    }
    found["choices"][grid.index((2000, 1.0, 10))]["auroc"] = 0.9
    first, default = choices.best(found)
    assert [first[name] for name in choices.CHOSEN] == [2000, 1.0, 10]
    assert default.items() >= found["default"].items()
    made = choices.table(found)
    assert made.row_count == len(choices.REMEMBERED) * len(choices.WEIGHTS)
    assert made.caption == "best 0.9000, default 0.8000"


def test_the_readme_says_what_was_recorded():
    root = Path(__file__).parent.parent
    recorded = json.loads((root / "benchmarks/results/choices-cpu.json").read_text())
    by = {
        (found["row"], *(c[name] for name in choices.CHOSEN)): c["auroc"]
        for found in recorded["rows"]
        for c in found["choices"]
    }
    said = (root / "README.md").read_text()
    said = said[said.index("nox -s choices") :].partition("\n")[0]
    defaults = {found["row"]: found["default"] for found in recorded["rows"]}
    assert defaults["odds"] == {"remembered": 8000, "weight": 1.0, "neighbors": 0.1}
    images = {"remembered": 8000, "weight": 2.0, "neighbors": 3}
    assert defaults["detect-one"] == defaults["detect-nine"] == images
    tables = {key: value for key, value in by.items() if key[0] == "odds"}
    assert max(tables, key=tables.get) == ("odds", 8000, 1.0, 0.1)
    told = [tables["odds", 8000, 1.0, 0.1]]
    for row in ("detect-one", "detect-nine"):
        told += [by[row, 8000, weight, 3] for weight in (1.0, 2.0, 4.0)]
        for (name, most, weight, count), area in by.items():
            if (name, most) == (row, 2000) and weight:
                assert area < by[row, 8000, weight, count]
    for area in told:
        assert f"{area:.4f}".lstrip("0") in said
