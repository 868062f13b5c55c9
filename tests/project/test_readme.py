"""The README is short, and its code runs as printed."""

import contextlib
import io
import json
import re

import pytest

from ae_multi.data import load_data
from tests.reference.pages import ROOT, blocks, run_page

README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Return the names that the README's code blocks define, and the lines that they print."""
    assert len(blocks("README.md")) == 2
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        names = run_page("README.md", tmp_path_factory.mktemp("readme"))
    return names, output.getvalue().splitlines()


@pytest.fixture(scope="module")
def sample():
    return load_data("mnist-sample")


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_quickstart_prints_the_documented_errors(shown, sample):
    names, lines = shown
    printed = blocks("README.md", "text")[0].splitlines()
    assert lines[0] == printed[0]
    for found, expected in zip(lines[1:4], printed[1:], strict=True):
        assert found[:-8] == expected[:-8]
        assert float(found[-8:]) == pytest.approx(float(expected[-8:]), rel=0.02)
    assert names["model"].encode(sample.x_test).shape == (1000, 32)


@pytest.mark.backend
@pytest.mark.once
def test_estimators_reach_the_documented_quality(shown, sample):
    names, is_zero = shown[0], sample.y_test == 0
    assert names["codes"].shape == (1000, 9)
    normal = names["labels"] == 1
    assert normal[is_zero].mean() > 0.85
    assert normal[~is_zero].mean() < 0.1


def test_first_screen_shows_the_commands_of_comparison_and_tests():
    screen = README[:1200]
    assert "python -m pip install nox && nox " in screen
    assert "python -m pip install nox && nox -s tests" in screen
    assert "python -m pip install nox && nox -s tests" in (ROOT / ".ci" / "run").read_text()


def test_readme_is_short_and_fits_a_terminal():
    assert len(README.splitlines()) <= 150
    shown = re.findall(r"^```\w+\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    tables = re.findall(r"^\|.*\|$", README, re.MULTILINE)
    assert max(len(line) for text in [*shown, *tables] for line in text.splitlines()) <= 100


def test_readme_contains_the_recorded_speeds():
    recorded = json.loads((ROOT / "benchmarks" / "results" / "throughput-cpu.json").read_text())
    assert len(recorded["results"]) == 9
    for result in recorded["results"]:
        rate = result["samples_per_second"]
        row = (
            f"| {result['model']} | {result['backend']} | {rate['native']:,.0f} "
            f"| {rate['keras.fit']:,.0f} | {rate['ours']:,.0f} "
            f"| {rate['ours'] / rate['native']:.2f} | {rate['ours'] / rate['keras.fit']:.2f} "
            f"| {result['plan']['name']} |"
        )
        assert row in README
