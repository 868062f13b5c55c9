"""Conclusion and stages of parity checks, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ae_multi.environment import describe_machine
from ae_multi.parity.divergence import format_error
from ae_multi.report.json_file import write_json
from ae_multi.report.tables import plain_table

if TYPE_CHECKING:
    from ae_multi.parity import Report


def stage_table(report: Report) -> Table:
    """Return a table with a row for each stage.

    A row has the number of compared arrays, the largest error, and the place that is closest to
    its bound with its error, its bound and the source of the bound.

    Args:
        report: an `ae_multi.parity.Report`.
    """
    table = plain_table(f"Parity of {report.model} on " + ", ".join(report.backends))
    table.add_column("stage")
    for name in ("compared", "largest error"):
        table.add_column(name, justify="right")
    table.add_column("closest to its bound")
    for name in ("error", "bound"):
        table.add_column(name, justify="right")
    for name in ("bound by", "verdict"):
        table.add_column(name)
    for stage in report.stages:
        entry = stage.closest
        backend = entry.worst
        table.add_row(
            stage.name,
            str(stage.compared),
            format_error(max(stage.largest.values())),
            f"{entry.name} on {backend}" if entry.error[backend] else "",
            format_error(entry.error[backend]),
            format_error(entry.bound[backend]),
            entry.source[backend],
            Text("agree", "green") if stage.holds else Text("DIFFER", "bold red"),
        )
    return table


def print_report(to: Console, report: Report) -> None:
    """Print the conclusion, the stages, and what was sampled, left out or not compared.

    Args:
        to: the rich console to print on.
        report: an `ae_multi.parity.Report`.
    """
    to.print()
    print_conclusion(to, report)
    to.print()
    to.print(stage_table(report))
    to.print(f"Errors are relative, compared with float64 on {report.oracle}.")
    for line in report.sample_lines():
        to.print(line, markup=False, soft_wrap=True)
    for line in report.omission_lines():
        to.print(line, style="yellow", markup=False)
    for line in report.remark_lines():
        to.print(line, style="yellow", markup=False, soft_wrap=True)
    if report.unscripted:
        to.print(f"No script was written: {report.unscripted}.", style="yellow", markup=False)


def write_reports(path: Path, reports: Sequence[Report]) -> None:
    """Write checks of models as JSON, with a description of the machine."""
    agree = all(report.agree for report in reports)
    summary = {"agree": agree, "models": [report.to_json() for report in reports]}
    write_json(path, {**summary, "machine": describe_machine()})


def print_conclusion(to: Console, report: Report) -> None:
    """Print whether the backends agree, where they differ first, and what to do.

    Args:
        to: the rich console to print on.
        report: an `ae_multi.parity.Report`.
    """
    conclusion = report.conclusion
    to.print(conclusion.headline, style="bold green" if report.agree else "bold red")
    for label, text in conclusion.facts:
        to.print(f"  {label}: {text}", markup=False, soft_wrap=True)
