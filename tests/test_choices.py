"""The choice of the detector's score: what is compared, and on which samples."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import choices


@pytest.mark.backend
def test_the_default_is_among_what_is_compared(keras):
    import ae_multi

    rng = np.random.default_rng(0)
    train, rows = rng.normal(size=(200, 4)), rng.normal(size=(60, 4))
    train[:, 3] = train[:, 0]
    strange = np.arange(60) < 20
    rows[~strange, 3] = rows[~strange, 0]
    found = choices.areas("minmax", train, rows, strange, (3, 0.1))
    assert found.keys() == {(w, n) for w in choices.WEIGHTS for n in (3, 0.1)}
    detector = ae_multi.AnomalyDetector().fit(train)
    area = roc_auc_score(strange, detector.anomaly_score(rows))
    assert found[choices.DEFAULTS["odds"]] == pytest.approx(area, abs=1e-3)
    # Without weight there is nothing to ask neighbors for.
    assert found[0.0, 3] == found[0.0, 0.1]


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
    grid = [(w, n) for w in choices.WEIGHTS for n in choices.IMAGES]
    found = {
        "row": "detect-one",
        "choices": [
            {"weight": w, "neighbors": n, "auroc": 0.9 if (w, n) == (2.0, 3) else 0.8, "parts": []}
            for w, n in grid
        ],
    }
    first, default = choices.best(found)
    assert (first["weight"], first["neighbors"]) == (2.0, 3)
    assert (default["weight"], default["neighbors"]) == choices.DEFAULTS["detect-one"]
    made = choices.table(found)
    assert made.row_count == len(choices.WEIGHTS)
    assert made.caption == "best 0.9000, default 0.8000"


def test_the_readme_says_what_was_recorded():
    root = Path(__file__).parent.parent
    recorded = json.loads((root / "benchmarks/results/choices-cpu.json").read_text())
    by = {
        (found["row"], c["weight"], c["neighbors"]): f"{c['auroc']:.4f}".lstrip("0")
        for found in recorded["rows"]
        for c in found["choices"]
    }
    said = (root / "README.md").read_text()
    said = said[said.index("nox -s choices") :].partition("\n")[0]
    for key in (
        ("odds", 1.0, 0.1),
        ("detect-one", 1.0, 3),
        ("detect-one", 1.0, 10),
        ("detect-nine", 1.0, 3),
        ("detect-nine", 1.0, 10),
        ("detect-nine", 2.0, 3),
    ):
        assert by[key] in said
    tables = {key: value for key, value in by.items() if key[0] == "odds"}
    assert max(tables, key=tables.get) == ("odds", 1.0, 0.1)
