"""Printed reports of parity checks."""

import io

import pytest

from ae_multi.report.parity_tables import print_report
from ae_multi.report.tables import PlainConsole
from tests.reference.names import NAMES
from tests.reference.parity_reports import agreeing, bicubic, entry, report


def printed(result):
    console = PlainConsole(file=io.StringIO(), width=132)
    print_report(console, result)
    return console.file.getvalue()


def test_conclusion_comes_before_the_table():
    lines = printed(bicubic()).strip().splitlines()
    assert lines[0] == "Backends differ: torch is alone; tensorflow, jax and numpy agree."
    assert lines[1].startswith("  First divergence: forward, enlarge")
    text = "\n".join(lines)
    assert text.index("What to do: ") < text.index("Parity of models.py:build")
    assert printed(agreeing()).strip().startswith("The backends agree.")


def test_huge_error_is_abbreviated_in_the_table():
    text = printed(report({"forward": [entry("forward", beyond=("torch",), error=12345.0)]}))
    assert ">1e3" in text
    assert "1.2e+04 " not in text.partition("Parity of")[2]
    assert "of the largest value" not in text


@pytest.mark.parametrize("name", NAMES)
def test_names_of_layers_are_printed_literally(name):
    assert f"forward, {name} (UpSampling2D)" in printed(bicubic(name=name))
