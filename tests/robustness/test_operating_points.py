"""The table of faults found and false alarms as all bounds are scaled."""

import json

import pytest

from ae_multi.parity.divergence import Divergence, Stage
from tests.robustness.fault_injection.run import FACTORS, InjectionResult, first_beyond
from tests.robustness.operating_points import closeness, lines, main

FAULTS = {"faults": [{"caught_at": list(FACTORS)}, {"caught_at": [1, 2]}, {"caught_at": []}]}


def run(**shares):
    """Return a clean run whose backends have these errors, as shares of their bound of 1e-6."""
    bound = dict.fromkeys(shares, 1e-6)
    error = {backend: share * 1e-6 for backend, share in shares.items()}
    bits = {"error": {"jax": 0.0}, "bound": {"jax": 0.0}}
    return {"closest": [bits, {"error": error, "bound": bound}]}


def test_closeness_is_the_largest_share_of_a_bound_of_backends_that_train():
    assert closeness(run(torch=0.25, jax=0.5, numpy=3.0)) == pytest.approx(0.5)
    assert closeness({"closest": []}) == 0.0


def test_rows_count_faults_and_clean_runs_by_factor():
    found = list(lines(FAULTS, {"runs": [run(jax=0.3)]}, {"runs": [run(torch=0.9), run(jax=0.1)]}))
    assert found == [
        ("1/8", "1 of 3", "2 of 3"),
        ("1/4", "1 of 3", "2 of 3"),
        ("1/2", "1 of 3", "1 of 3"),
        ("1", "2 of 3", "0 of 3"),
        ("2", "2 of 3", "0 of 3"),
        ("4", "1 of 3", "0 of 3"),
        ("8", "1 of 3", "0 of 3"),
    ]


def test_command_prints_the_table(tmp_path, capsys):
    paths = [tmp_path / "faults.json", tmp_path / "zoo.json"]
    for path, content in zip(paths, (FAULTS, {"runs": [run(jax=0.3)]}), strict=True):
        path.write_text(json.dumps(content))
    assert main(list(map(str, paths))) == 0
    assert "1 of 3" in capsys.readouterr().out


def test_first_entry_beyond_scaled_bounds():
    entries = [
        Divergence("forward", n, name, "", (), {"torch": error, "numpy": 1.0}, bound, (), {})
        for n, (name, error, bound) in enumerate(
            [("a", 3e-6, {"torch": 2e-6, "numpy": 0.0}), ("b", 9e-6, {"torch": 1e-6, "numpy": 0.0})]
        )
    ]
    stages = [Stage("forward", entries)]
    assert first_beyond(stages, 1) == ("forward", "a", ("torch",))
    assert first_beyond(stages, 4) == ("forward", "b", ("torch",))
    assert first_beyond(stages, 16) is None
    expected = InjectionResult("f", "torch", "forward", "b")
    assert expected.fits(*first_beyond(stages, 4))
    assert not expected.fits(*first_beyond(stages, 1))
