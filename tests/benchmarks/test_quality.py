"""The benchmark of task quality: runs, records and rows of the table."""

import json

import pytest

from benchmarks import quality, quality_targets


def test_targets_are_compared_in_the_right_direction():
    levels = ["target", "required", "no"]
    increasing, decreasing = (
        quality_targets.Row("detect", "AUROC", ".2f", 0.8, 0.9),
        quality_targets.ROWS["reduce-9"],
    )
    assert [increasing.reached(value, 0.5) for value in (0.95, 0.85, 0.7)] == levels
    assert [decreasing.reached(value, 0.03) for value in (0.014, 0.017, 0.02)] == levels
    without_required = increasing._replace(required=None)
    assert [without_required.reached(value, 0.6) for value in (0.95, 0.61, 0.6)] == levels


def test_row_is_the_mean_over_its_splits(monkeypatch):
    found = iter([{"ours": 1.0, "PCA": 0.5, "mean": 0.7}, {"ours": 0.5, "PCA": 0.3, "mean": 0.2}])
    monkeypatch.setattr(quality_targets, "_results", lambda row, seed: found)
    monkeypatch.setattr(quality_targets, "_provenance", dict)
    result = quality_targets.measure("detect-one", 0)
    assert result["ours"] == 0.75
    # The baseline that is best on average, not the best of each split.
    assert result["floor"] == ("mean", pytest.approx(0.45))
    assert len(result["parts"]) == 2


@pytest.fixture
def runs(monkeypatch):
    """Replace the runs of the benchmark; return the list of the started ones."""
    started = []

    class Interpreters:
        def __init__(self, options):
            self.backends = options.backends or ("torch", "tensorflow", "jax")

        def available(self):
            return self.backends, {}

        def python(self, backend):
            return f"python of {backend}"

    def run(python, backend, module, job, device, cores):
        assert python == f"python of {backend}"
        started.append((job["row"], backend, job["seed"], tuple(cores)))
        value = 0.01 + 0.001 * job["seed"]
        return {"ours": value, "floor": ("PCA", 0.03), "parts": [], "seconds": 1, "provenance": {}}

    monkeypatch.setattr(quality, "interpreters_of", Interpreters)
    monkeypatch.setattr(quality, "run", run)
    monkeypatch.setattr(quality.os, "sched_getaffinity", lambda _: {0, 1})
    return started


def test_one_backend_runs_all_seeds_and_the_others_one(runs, tmp_path):
    path = tmp_path / "quality.json"
    assert quality.main(["--rows", "reduce-9", "--json", str(path)]) == 0
    assert [each[1:3] for each in runs] == [
        ("jax", 0),
        ("jax", 1),
        ("jax", 2),
        ("torch", 0),
        ("tensorflow", 0),
    ]
    assert {each[3] for each in runs} == {(0, 1)}
    recorded = json.loads(path.read_text())["runs"]
    assert len(recorded) == 5
    assert list(quality.lines(recorded)) == [
        (
            "reduce-9",
            "test MSE",
            "0.03000 PCA",
            "0.01100 ± 0.00100 jax (3)",
            "0.01000 torch, 0.01000 tensorflow",
            "0.01800",
            "0.01500",
            "target",
        )
    ]
    assert quality.table(recorded).row_count == 1


def test_recorded_runs_are_not_repeated(runs, tmp_path):
    path = tmp_path / "quality.json"
    arguments = ["--rows", "reduce-9", "--json", str(path)]
    assert quality.main([*arguments, "--backends", "jax"]) == 0
    assert len(runs) == 3
    assert quality.main([*arguments, "--jobs", "2"]) == 0
    assert [each[1] for each in runs[3:]] == ["torch", "tensorflow"]
    assert {each[3] for each in runs[3:]} <= {(0,), (1,)}


def test_tables_are_skipped_without_their_folder(runs, monkeypatch, tmp_path):
    monkeypatch.delenv("AE_MULTI_ODDS", raising=False)
    assert quality.main(["--rows", "odds"]) == 0
    assert runs == []
    monkeypatch.setenv("AE_MULTI_ODDS", str(tmp_path))
    assert quality.main(["--rows", "odds"]) == 0
    assert len(runs) == 5


def test_unknown_row_is_a_usage_error(runs, capsys):
    assert quality.main(["--rows", "compress"]) == 2
    assert "Expected --rows among reduce-30, reduce-9" in capsys.readouterr().err
    assert quality.main(["--jobs", "0"]) == 2
    assert "jobs" in capsys.readouterr().err
