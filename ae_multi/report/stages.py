"""The stages of a parity check as a table."""

from rich.text import Text

from ae_multi.parity.divergence import LARGEST_RELATIVE
from ae_multi.report.tables import plain_table


def stage_table(report):
    """A row for each stage: what was compared, the tightest place, its error and bound.

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
    for name in ("bound by", "holds"):
        table.add_column(name)
    for stage in report.stages:
        entry = stage.closest
        worst = entry.worst
        table.add_row(
            stage.name,
            str(stage.compared),
            relative(max(stage.largest.values())),
            f"{entry.name} on {worst}" if entry.error[worst] else "",
            relative(entry.error[worst]),
            relative(entry.bound[worst]),
            entry.source[worst],
            Text("yes", "green") if stage.holds else Text("NO", "bold red"),
        )
    return table


def relative(error):
    """A relative error as text; a larger one than `LARGEST_RELATIVE` only as such."""
    return f"{error:.1e}" if error <= LARGEST_RELATIVE else f"> {LARGEST_RELATIVE:.0e}"


def print_report(to, report):
    """Print the stages, the first divergence, and what could not be compared."""
    to.print()
    to.print(stage_table(report))
    to.print(f"Errors are relative, against float64 on {report.oracle}.")
    for name in report.not_comparable:
        to.print(f"Not comparable: the model asks for {name}() numbers.", style="yellow")
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
