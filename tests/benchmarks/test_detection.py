"""The benchmark of anomaly detection: its tables, its summary and its command."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks import critical_difference, detection, detection_summary, detection_tables
from benchmarks.synthetic_anomalies import TYPES, make_anomalies, make_sensors


def run(table, method, auroc, protocol="clean", seed=0):
    """Return a recorded run whose average precision is half its AUROC."""
    keys = {"table": table, "protocol": protocol, "seed": seed, "method": method}
    return {**keys, "auroc": auroc, "ap": auroc / 2}


def test_lines_have_means_over_seeds_then_tables_and_largest_deficits():
    runs = [
        run("a", "ae_multi", 0.8),
        run("a", "ae_multi", 0.9, seed=1),
        run("b", "ae_multi", 0.7),
        run("a", "PCA", 0.9),
        run("b", "PCA", 0.6),
        run("a", "ae_multi-mse", 0.5),
        run("b", "ae_multi-mse", 0.75),
        run("c", "PCA", 0.9),  # not measured with all methods
    ]
    rows = {row[0]: row[1:] for row in detection_summary.lines(runs, "clean")}
    assert rows["ae_multi"] == ("0.7750", "0.3875", "1.50", "0.050 b", "0.050 a")
    assert rows["PCA"] == ("0.7500", "0.3750", "1.50", "0.150 b", "none")
    assert rows["ae_multi-mse"][2] == ""  # not ranked
    assert [row[0] for row in detection_summary.all_lines(runs)] == ["clean"] * 3


def test_ranks_and_critical_difference_equal_published_values():
    ranks = critical_difference.average_ranks(np.array([[0.9, 0.8, 0.8], [0.5, 0.6, 0.4]]))
    np.testing.assert_allclose(ranks, [1.5, 1.75, 2.75])
    # Demšar (2006), section 3.2.2: q = 2.569 for four methods; 14 tables.
    expected = 2.569 * np.sqrt(4 * 5 / (6 * 14))
    assert critical_difference.critical_difference(14, 4) == pytest.approx(expected, abs=1e-3)
    assert critical_difference.groups(np.array([1.0, 1.5, 3.0]), 1) == [(1, 1.5)]


@pytest.mark.parametrize("kind", TYPES)
def test_synthetic_anomalies_are_of_their_kind(kind):
    rng = np.random.default_rng(0)
    t = rng.normal(size=(400, 1))
    normal = np.hstack([3 + t, 3 - t]) + rng.normal(0, 0.1, (400, 2))
    rows, labels = make_anomalies(normal, kind, 40, 1)
    assert rows.shape == (440, 2)
    assert labels.sum() == 40
    sums = np.abs(rows.sum(axis=1) - 6)  # small on the line of the normal rows
    assert np.median(sums[labels == 1]) > 1.5 * np.median(sums[labels == 0])
    np.testing.assert_array_equal(rows, make_anomalies(normal, kind, 40, 1)[0])


def test_broken_sensors_have_usual_values_and_an_unusual_relation():
    rows, labels = make_sensors(2000, 3, share=0.05)
    assert labels.sum() == 100
    normal, strange = rows[labels == 0], rows[labels == 1]
    np.testing.assert_allclose(strange.std(axis=0), normal.std(axis=0), rtol=0.4)
    center, components = normal.mean(axis=0), np.linalg.svd(normal - normal.mean(axis=0))[2][:10]

    def residual(x):
        return np.mean((x - center - (x - center) @ components.T @ components) ** 2)

    assert residual(strange) > 3 * residual(normal)


def test_split_trains_on_normal_rows_only_if_clean():
    rows, labels = make_sensors(400, 1, share=0.1)
    train, test, marks = detection_tables.split(rows, labels, "contaminated", 0)
    assert (len(train), len(test), marks.sum()) == (280, 120, 12)
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-9)
    assert len(detection_tables.split(rows, labels, "clean", 0)[0]) == 280 - 28


def test_command_measures_only_what_the_file_lacks(tmp_path, monkeypatch, capsys):
    jobs = []

    def measured(python, backend, module, keywords, device, cores):
        jobs.append(keywords)
        pairs = [(p, m) for p in keywords["protocols"] for m in keywords["methods"]]
        runs = [run(keywords["table"], m, 0.8, p, s) for p, m in pairs for s in keywords["seeds"]]
        return {"runs": runs, "provenance": {}}

    monkeypatch.setattr(detection, "run", measured)
    interpreters = SimpleNamespace(available=lambda: (["jax"], []), python=lambda backend: "python")
    monkeypatch.setattr(detection, "interpreters_of", lambda options: interpreters)
    path = tmp_path / "detection.json"
    options = ["--tables=sensors-1", "--protocols=clean", "--max-rows=300", f"--json={path}"]
    options += ["--methods=PCA,kNN,LOF"]
    assert detection.main([*options, "--seeds=0"]) == 0
    assert detection.main([*options, "--seeds=0,1"]) == 0
    assert [job["seeds"] for job in jobs] == [[0], [1]]
    assert jobs[0]["max_rows"] == 300
    assert len(json.loads(path.read_text())["runs"]) == 6
    assert "clean training, 1 tables" in capsys.readouterr().out
    assert detection.main(["--tables=none"]) != 0


@pytest.mark.backend
@pytest.mark.once
def test_run_measures_the_detector_and_baselines():
    from benchmarks.detection_run import measure

    methods = ["ae_multi", "ae_multi-mse", "PCA", "kNN"]
    found = measure("sensors-3", [0], ["clean"], methods, 400)["runs"]
    assert [each["method"] for each in found] == methods
    assert all(0 <= each["auroc"] <= 1 for each in found)
