"""Commands of the tasks: output that cannot be printed, columns of any name."""

import json

import numpy as np
import pytest


@pytest.mark.backend
@pytest.mark.once
def test_results_are_written_although_printing_fails(here, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ae_multi.cli.tasks.print_result", fail)
    path = tmp_path / "out.json"
    small = ("--data", "digits", "--samples", 30, "--epochs", 1)
    done = here("reduce", *small, "--json", path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ae-multi reduce: No space left on device"
    assert json.loads(path.read_text())["task"] == "reduce"


@pytest.mark.backend
@pytest.mark.once
def test_figure_is_drawn_for_columns_of_any_name(here, tmp_path):
    path, figure = tmp_path / "p[bar] $\\frac{$.csv", tmp_path / "out $x_{$.png"
    rng = np.random.default_rng(0)
    names = ["price $ in {", "the same beginning 1", "the same beginning 2", "größe", "odd[1]"]
    rows = [",".join(names)]
    for place in range(60):
        odd = place % 6 == 0
        values = rng.normal(size=4) + 5 * odd
        rows.append(",".join([*map(str, values), str(int(odd))]))
    path.write_text("\n".join(rows), encoding="utf-8")
    done = here(
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
    assert done.returncode == 0, done.stderr
    assert f"Data: {path.name}, " in done.stdout
    assert "by column 'odd[1]'" in done.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")
