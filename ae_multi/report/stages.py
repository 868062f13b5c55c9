"""Table of the stages of a parity check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ae_multi.parity.divergence import LARGEST_RELATIVE
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
            relative(max(stage.largest.values())),
            f"{entry.name} on {backend}" if entry.error[backend] else "",
            relative(entry.error[backend]),
            relative(entry.bound[backend]),
            entry.source[backend],
            Text("agree", "green") if stage.holds else Text("DIFFER", "bold red"),
        )
    return table


def relative(error: float) -> str:
    """Format a relative error; beyond `LARGEST_RELATIVE` only that limit is named."""
    return f"{error:.1e}" if error <= LARGEST_RELATIVE else f"> {LARGEST_RELATIVE:.0e}"


def print_report(to: Console, report: Report) -> None:
    """Print the stages, the first divergence and what was not compared.

    Args:
        to: the rich console to print on.
        report: an `ae_multi.parity.Report`.
    """
    to.print()
    to.print(stage_table(report))
    to.print(f"Errors are relative, against float64 on {report.oracle}.")
    for line in report.sample_lines():
        to.print(line, markup=False, soft_wrap=True)
    for name in report.not_comparable:
        to.print(f"Not comparable: the model draws {name}() numbers.", style="yellow")
    for backend, reason in report.left_out.items():
        to.print(f"Left out: {backend}, {reason}.", style="yellow", markup=False)
    if report.first_divergence is None:
        to.print("The backends agree.", style="bold green")
    else:
        to.print("Backends differ. First divergence:", style="bold red")
        to.print(f"  {report.first_divergence}", style="red", markup=False, soft_wrap=True)
    for line in report.remark_lines():
        to.print(line, style="yellow", markup=False, soft_wrap=True)
    if report.unscripted:
        to.print(f"No script was written: {report.unscripted}.", style="yellow", markup=False)
