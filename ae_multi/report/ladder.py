"""The ladder of a parity check as a table."""

from rich.text import Text

from ae_multi.report.tables import plain_table


def ladder_table(report):
    """A row for each rung: what was compared, the tightest place, its error and bound.

    Args:
        report: an `ae_multi.parity.check.Report`.
    """
    table = plain_table("Parity of " + ", ".join(report.backends))
    for name in ("rung", "compared", "closest to its bound"):
        table.add_column(name)
    for name in ("error", "bound"):
        table.add_column(name, justify="right")
    table.add_column("holds")
    for rung in report.rungs:
        entry = rung.closest
        worst = max(entry.error, key=lambda b: entry.error[b] / (entry.bound[b] or 1e-300))
        table.add_row(
            rung.name,
            str(rung.compared),
            f"{entry.name} on {worst}" if entry.error[worst] else "",
            f"{entry.error[worst]:.1e}",
            f"{entry.bound[worst]:.1e}",
            Text("yes", "green") if rung.holds else Text("NO", "bold red"),
        )
    return table


def print_report(to, report):
    """Print the ladder, the first divergence, and what could not be compared."""
    to.print()
    to.print(ladder_table(report))
    to.print(f"Errors are relative to the largest value, against float64 on {report.oracle}.")
    for name in report.not_comparable:
        to.print(f"Not comparable: the model asks for {name}() numbers.", style="yellow")
    for backend in report.left_out:
        to.print(f"Left out: {backend}, which is not installed.", style="yellow")
    if report.first_divergence is None:
        to.print("The backends agree.", style="bold green")
    else:
        to.print("The backends PART, first in", style="bold red")
        to.print(f"  {report.first_divergence}", style="red", markup=False, soft_wrap=True)
