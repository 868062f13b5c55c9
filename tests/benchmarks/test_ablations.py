"""Ablations of defaults: settings, samples and reports."""

import inspect
import itertools
import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks import ablation_settings, ablations, quality_targets, score
from tests.reference.pages import ROOT


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_score_grid_contains_the_default(keras, monkeypatch):
    import ae_multi

    rng = np.random.default_rng(0)
    train, rows = rng.normal(size=(200, 4)), rng.normal(size=(60, 4))
    train[:, 3] = train[:, 0]
    anomalous = np.arange(60) < 20
    rows[~anomalous, 3] = rows[~anomalous, 0]
    monkeypatch.setattr(score, "_tables", lambda: [("minmax", train, rows, anomalous)] * 2)
    monkeypatch.setattr(score, "TABLES", (0.03, 0.1))
    monkeypatch.setattr(score, "REMEMBERED", (50, 8000))
    found = score.measure("odds")
    names = [tuple(c[name] for name in score.CHOSEN) for c in found["choices"]]
    assert names == [(r, w, n) for r in (50, 8000) for n in (0.03, 0.1) for w in score.WEIGHTS]
    detector = ae_multi.AnomalyDetector(criterion="manifold").fit(train)
    area = roc_auc_score(anomalous, detector.anomaly_score(rows))
    default = score.best(found)[1]
    assert default["auroc"] == pytest.approx(area, abs=1e-3)
    assert default["parts"] == [default["auroc"]] * 2
    areas = {name: c["auroc"] for name, c in zip(names, found["choices"], strict=True)}
    # With weight 0 the neighbors have no influence.
    assert areas[50, 0.0, 0.03] == areas[8000, 0.0, 0.1]
    assert areas[50, 1.0, 0.1] != areas[8000, 1.0, 0.1]


class Data:
    """A data set that raises an error if its test images are read."""

    name, source = "few", "memory"
    x_train = np.arange(120, dtype=np.float32).reshape(60, 1, 2, 1) / 120
    y_train = np.arange(60) % 10

    @property
    def x_test(self):
        raise AssertionError("test images were read")

    y_test = x_test

    def first(self, samples):
        assert samples is None
        return self


def test_digit_splits_exclude_test_images(monkeypatch):
    monkeypatch.setattr("ae_multi.data.load_data", lambda name: Data())
    for row, count in (("detect-one", 5), ("detect-nine", 45)):
        splits = list(score._digits(row))
        assert len(splits) == 10
        for digit, (_, train, others, anomalous) in enumerate(splits):
            assert len(train) == count
            assert not set(train.ravel()) & set(others.ravel())
            assert anomalous.tolist() == [(d == digit) == (row == "detect-nine") for d in range(10)]


@pytest.mark.backend
@pytest.mark.once
def test_ablation_runs_the_task_on_training_images(keras, monkeypatch):
    from ae_multi.tasks import reduce
    from ae_multi.tasks.result import Measure, Result
    from benchmarks import ablation

    def task(options, latent_dim=9, hidden="auto"):
        data = options.load()
        np.testing.assert_array_equal(data.x_train, Data.x_train[:50])
        np.testing.assert_array_equal(data.x_test, Data.x_train[50:])
        np.testing.assert_array_equal(data.y_test, Data.y_train[50:])
        training = {"verbose": 0, "epochs": 7, "learning_rate": 0.5}
        assert options.training() == {**training, "random_state": options.seed}
        assert (latent_dim, hidden) == (30, [5])
        rows = {"autoencoder": (0.25 + options.seed,), "PCA": (0.5,)}
        return Result(
            "reduce",
            "",
            (Measure("test MSE", ".5f", False),),
            rows,
            {},
            {"epochs": 7},
            {},
            2.0,
        )

    monkeypatch.setattr("ae_multi.tasks.result.load_data", lambda data, path: Data())
    monkeypatch.setattr(reduce, "reduce", task)
    parameters = {"hidden": [5], "epochs": 7, "learning_rate": 0.5}
    found = ablation.measure("reduce-30", parameters, seeds=2)
    assert found == {
        "value": 0.75 * 784,
        "values": [0.25 * 784, 1.25 * 784],
        "epochs": 7,
        "seconds": 2.0,
        "provenance": {},
    }


@pytest.mark.backend
@pytest.mark.once
def test_table_splits_exclude_test_rows(keras, monkeypatch):
    from benchmarks import odds, splits

    rows, labels = np.arange(400.0).reshape(100, 4), np.arange(100) % 10 == 0
    monkeypatch.setattr("ae_multi.data.mat.read_mat", lambda path: (rows, labels.astype(int)))
    monkeypatch.setenv("AE_MULTI_ODDS", "tables")
    training_rows, test_rows, training_labels, _ = odds.split_rows(rows, labels)
    for train, others, anomalous in splits.tables_without_test_rows():
        assert (len(train), len(others), anomalous.dtype) == (36, 24, bool)
        np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-12)
        # Columns differ by constants only, so that one of them identifies the row.
        first_values = np.interp(
            np.r_[train[:, 0], others[:, 0]],
            np.sort(np.r_[train[:, 0], others[:, 0]]),
            np.sort(training_rows[:, 0]),
        )
        assert not set(np.round(first_values)) & set(test_rows[:, 0])
        label_of = dict(zip(training_rows[:, 0], training_labels, strict=True))
        assert [label_of[value] for value in np.round(first_values[36:])] == anomalous.tolist()


@pytest.mark.backend
@pytest.mark.once
def test_ablation_of_tables_fits_the_detector_on_each(keras, monkeypatch):
    import ae_multi
    from benchmarks import ablation

    rng = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        train, others = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
        train[:, 3], anomalous = train[:, 0], np.arange(40) < 15
        others[~anomalous, 3] = others[~anomalous, 0]
        tables.append((train, others, anomalous))
    monkeypatch.setattr(ablation, "tables_without_test_rows", lambda: iter(tables))
    found = ablation.measure("odds", {"epochs": 3, "hidden": [5]}, seeds=2)
    expected = []
    for seed in range(2):
        for train, others, anomalous in tables:
            detector = ae_multi.AnomalyDetector(epochs=3, hidden=[5], random_state=seed)
            scores = detector.fit(train).anomaly_score(others)
            expected.append(roc_auc_score(anomalous, scores))
    assert found["values"] == pytest.approx([np.mean(expected[:2]), np.mean(expected[2:])])
    assert found["value"] == pytest.approx(np.mean(expected))
    assert found["epochs"] == 3
    assert found["provenance"]["backend"].startswith(keras.config.backend())


@pytest.mark.backend
@pytest.mark.once
def test_ablations_start_with_the_defaults_and_set_existing_parameters(keras):
    import ae_multi

    estimators = {
        "denoise": ae_multi.Denoiser,
        "detect": ae_multi.AnomalyDetector,
        "odds": ae_multi.AnomalyDetector,
        "segment": ae_multi.Segmenter,
    }
    for row, tried in ablation_settings.ABLATIONS.items():
        assert tried[0] == {}, row
        assert len({json.dumps(parameters) for parameters in tried}) == len(tried)
        name = quality_targets.ROWS[row].task
        known = set()
        if name != "odds":
            known |= {
                *inspect.signature(quality_targets.task_of(quality_targets.ROWS[row])).parameters
            }
        known |= {*estimators.get(name, ae_multi.AutoencoderTransformer)().get_params()}
        assert {key for parameters in tried for key in parameters} <= known


def test_recorded_ablations_are_not_repeated(monkeypatch, tmp_path, capsys):
    jobs = []

    def run(python, backend, module, job, device, cores):
        jobs.append((module, job))
        if module == "score":
            return {"default": {}, "choices": []}
        return {"value": 20 + job["parameters"]["rate"], "epochs": 4, "seconds": 61.7}

    class Interpreters:
        def __init__(self, options):
            pass

        def available(self):
            return ("torch", "jax"), {}

        def python(self, backend):
            return "python"

    tried = ({"rate": 0}, {"rate": 1.5, "hidden": [8, 4]})
    monkeypatch.setattr(ablation_settings, "ABLATIONS", {"denoise-0.4": tried})
    monkeypatch.setattr(ablations, "run", run)
    monkeypatch.setattr(ablations, "interpreters_of", Interpreters)
    monkeypatch.setattr(score, "table", lambda found: "")
    path = tmp_path / "choices.json"
    assert ablations.main(["--rows", "denoise-0.4", "--json", str(path)]) == 0
    output = capsys.readouterr().out
    assert "rate 1.5, hidden 8-4" in output
    assert "21.50" in output
    assert ablation_settings.words({}) == "the defaults"
    assert ablations.main(["--rows", "detect-one,denoise-0.4", "--json", str(path)]) == 0
    expected = [("ablation", {"row": "denoise-0.4", "parameters": p, "seeds": 1}) for p in tried]
    assert jobs == [*expected, ("score", {"row": "detect-one"})]
    recorded = json.loads(path.read_text())
    assert [each["backend"] for each in recorded["trials"] + recorded["scores"]] == ["jax"] * 3


def test_missing_tables_are_skipped(monkeypatch):
    monkeypatch.delenv("AE_MULTI_ODDS", raising=False)
    assert ablations._jobs("odds") == []
    assert ablations._jobs("detect-one")[0] == {"row": "detect-one"}
    monkeypatch.setenv("AE_MULTI_ODDS", "tables")
    first, *others = ablations._jobs("odds")
    assert first == {"row": "odds"}
    assert [job["parameters"] for job in others] == list(ablation_settings.ABLATIONS["odds"])


def test_table_contains_the_best_and_the_default():
    grid = list(itertools.product(score.REMEMBERED, score.WEIGHTS, score.IMAGES))
    found = {
        "row": "detect-one",
        "default": {"remembered": 8000, "weight": 2.0, "neighbors": 3},
        "choices": [
            {**dict(zip(score.CHOSEN, choice, strict=True)), "auroc": 0.8, "parts": []}
            for choice in grid
        ],
    }
    found["choices"][grid.index((2000, 1.0, 10))]["auroc"] = 0.9
    first, default = score.best(found)
    assert [first[name] for name in score.CHOSEN] == [2000, 1.0, 10]
    assert default.items() >= found["default"].items()
    table = score.table(found)
    assert table.row_count == len(score.REMEMBERED) * len(score.WEIGHTS)
    assert table.caption == "best 0.9000, default 0.8000"


def test_document_mentions_ablations_better_than_the_default():
    recorded = json.loads((ROOT / "benchmarks/results/choices-cpu.json").read_text())["trials"]
    text = (ROOT / "docs" / "choices.md").read_text().partition("seconds |\n")[2]
    text = text[text.index("\n\n") : text.index("## The detector's score")]
    for row, tried in ablation_settings.ABLATIONS.items():
        ablations_of_row = [ablation for ablation in recorded if ablation["row"] == row]
        assert [ablation["parameters"] for ablation in ablations_of_row] == list(tried)
        first, *others = ablations_of_row
        sign = 1 if quality_targets.ROWS[row].higher else -1
        for ablation in others:
            if sign * ablation["value"] > sign * first["value"]:
                assert quality_targets.ROWS[row].text(ablation["value"]) in text, ablation


def test_document_contains_the_recorded_scores():
    recorded = json.loads((ROOT / "benchmarks/results/choices-cpu.json").read_text())
    areas = {
        (found["row"], *(c[name] for name in score.CHOSEN)): c["auroc"]
        for found in recorded["scores"]
        for c in found["choices"]
    }
    text = (ROOT / "docs" / "choices.md").read_text()
    text = text[text.index("## The detector's score") :]
    defaults = {found["row"]: found["default"] for found in recorded["scores"]}
    assert defaults["odds"] == {"remembered": 8000, "weight": 1.0, "neighbors": 0.1}
    images = {"remembered": 8000, "weight": 2.0, "neighbors": 3}
    assert defaults["detect-one"] == defaults["detect-nine"] == images
    tables = {key: value for key, value in areas.items() if key[0] == "odds"}
    assert max(tables, key=tables.get) == ("odds", 8000, 1.0, 0.1)
    documented = [tables["odds", 8000, 1.0, 0.1]]
    for row in ("detect-one", "detect-nine"):
        documented += [areas[row, 8000, weight, 3] for weight in (1.0, 2.0, 4.0)]
        for (name, remembered, weight, count), area in areas.items():
            if (name, remembered) == (row, 2000) and weight:
                assert area < areas[row, 8000, weight, count]
    for area in documented:
        assert f"{area:.4f}".lstrip("0") in text
