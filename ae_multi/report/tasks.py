"""Table of the result of a task and its baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ae_multi.report.tables import plain_table

if TYPE_CHECKING:
    from ae_multi.tasks.result import Result


def result_table(result: Result) -> Table:
    """Return a table with a row for the estimator and each baseline; the best value is bold.

    Args:
        result: an `ae_multi.tasks.result.Result`.
    """
    table = plain_table(None)
    table.add_column("method")
    for measure in result.measures:
        table.add_column(f"{measure.name} {measure.unit}".rstrip(), justify="right")
    best = [
        (max if measure.higher else min)(values[column] for values in result.rows.values())
        for column, measure in enumerate(result.measures)
    ]
    for method, values in result.rows.items():
        table.add_row(
            method,
            *(
                Text(f"{value:{measure.form}}", "bold" if value == column_best else "")
                for value, measure, column_best in zip(values, result.measures, best, strict=True)
            ),
        )
    return table


def print_result(to: Console, result: Result) -> None:
    """Print the table, the data, the training time, notes, and the baselines that are better.

    Args:
        to: the rich console to print on.
        result: an `ae_multi.tasks.result.Result`.
    """
    to.print()
    to.print(Text(result.title, "italic"))
    if result.rows:
        to.print(result_table(result))
    kind = "images" if "train_images" in result.data else "rows"
    sizes = [
        f"{result.data[f'{split}_{kind}']:,} {words}"
        for split, words in (("train", "training"), ("test", f"test {kind}"))
        if f"{split}_{kind}" in result.data
    ]
    if len(sizes) == 1:
        sizes[0] += f" {kind}"
    to.print(f"Data: {result.data['name']}, {' and '.join(sizes)} ({result.data['source']}).")
    epochs, provenance = result.settings["epochs"], result.provenance
    to.print(
        f"Trained for {epochs} {'epochs' if epochs > 1 else 'epoch'} in {result.seconds:.1f} s "
        f"on {provenance['backend']}, {provenance['device']}."
    )
    for note in result.notes:
        to.print(note)
    for sentence in result.lost:
        to.print(Text(sentence, "red"))
