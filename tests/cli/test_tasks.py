"""Commands of the tasks: failed printing, and columns of any name."""

import json

import numpy as np
import pytest


@pytest.mark.backend
@pytest.mark.once
def test_results_are_written_although_printing_fails(run_here, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ae_multi.cli.tasks.print_result", fail)
    path = tmp_path / "out.json"
    small = ("--data", "digits", "--samples", 30, "--epochs", 1)
    process = run_here("reduce", *small, "--json", path)
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == "ae-multi reduce: No space left on device"
    assert json.loads(path.read_text())["task"] == "reduce"


@pytest.mark.backend
@pytest.mark.once
def test_figure_is_drawn_for_columns_of_any_name(run_here, tmp_path):
    path, figure = tmp_path / "p[bar] $\\frac{$.csv", tmp_path / "out $x_{$.png"
    rng = np.random.default_rng(0)
    names = ["price $ in {", "the same beginning 1", "the same beginning 2", "größe", "odd[1]"]
    rows = [",".join(names)]
    for index in range(60):
        anomalous = index % 6 == 0
        values = rng.normal(size=4) + 5 * anomalous
        rows.append(",".join([*map(str, values), str(int(anomalous))]))
    path.write_text("\n".join(rows), encoding="utf-8")
    process = run_here(
        "detect",
        "--data",
        path,
        "--label",
        "odd[1]",
        "--epochs",
        2,
        "--figure",
        figure,
    )
    assert process.returncode == 0, process.stderr
    assert f"Data: {path.name}, " in process.stdout
    assert "by column 'odd[1]'" in process.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
