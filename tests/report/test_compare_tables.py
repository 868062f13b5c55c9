"""Tables of a comparison, and literal printing of names."""

import io

import pytest
from rich.console import Console
from rich.table import Table

from ae_multi.cli import main
from ae_multi.report.compare_tables import print_comparison
from ae_multi.report.tables import plain_table
from tests.reference.names import NAMES


def printed(comparison, width=132):
    console = Console(file=io.StringIO(), width=width)
    print_comparison(console, comparison)
    return console.file.getvalue()


def test_tables_contain_all_results(comparison):
    text = printed(comparison)
    for word in (
        *(
            "simple",
            "deep",
            "torch 1.2.3",
            "jax 1.2.3",
            " graph ",
            " scan ",
            "cpu (2 threads)",
            "224,601",
        ),
        *("0.02100", "0.02200", "17.40", "0.03450", "12.3", "98,765", "0.06750"),
        *("1,437 training", "digits", "Left out: tensorflow, which is not installed"),
        *("identical", "0.0e+00 ≤ 2e-06 (2 steps)", "(2 runs, jax)", "AGREE"),
    ):
        assert word in text
    assert "DIFFER" not in text


def test_wide_table_is_not_wrapped(comparison):
    lines = printed(comparison).splitlines()
    assert sum("cpu (2 threads)" in line for line in lines) == 4


def test_differences_and_notes_are_printed(comparison):
    comparison.agreement["deep"].update(verdict="differ", reasons=["the initial weights differ"])
    comparison.results[0]["notes"] = ["worse than PCA with 9 components"]
    text = printed(comparison)
    assert "DIFFER" in text
    assert "deep differs: the initial weights differ." in text
    assert "simple on torch: worse than PCA with 9 components." in text
    assert not comparison.agree


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_literally(name, terminal):
    table = plain_table(f"Parity of {name}")
    table.add_column(name)
    table.add_row(name)
    terminal.print(f"Saved: {name}")
    terminal.print(table)
    assert terminal.file.getvalue().count(name) == 4


def test_rich_still_interprets_markup():
    # If rich no longer interprets markup, `PlainConsole` is not needed.
    console = Console(file=io.StringIO(), width=40)
    table = Table("p[bar].csv")
    console.print(table)
    assert "p[bar].csv" not in console.file.getvalue()


def test_escape_sequences_in_names_do_not_reach_the_terminal(capsys, terminal):
    terminal.print("a\x1b[31mb\tc")
    assert terminal.file.getvalue() == r"a\x1b[31mb\tc" + "\n"
    assert main(["detect", "--data", "a\x1b[2Jb.csv"]) == 2
    assert r"a\x1b[2Jb.csv" in capsys.readouterr().err
