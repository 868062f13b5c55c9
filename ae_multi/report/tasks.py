"""A task's result beside its floors, for the terminal."""

from rich.text import Text

from ae_multi.report.tables import plain_table


def result_table(result):
    """A row for the estimator and for each floor; bold the best of each column."""
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
                Text(f"{value:{measure.form}}", "bold" if value == top else "")
                for value, measure, top in zip(values, result.measures, best, strict=True)
            ),
        )
    return table


def print_result(to, result):
    """Print the table, what it was made from, and which floors win."""
    to.print()
    to.print(Text(result.title, "italic"))
    to.print(result_table(result))
    sizes = [
        f"{result.data[f'{part}_{what}']:,} {words}"
        for what in ("images", "rows")
        for part, words in (("train", "training"), ("test", f"test {what}"))
        if f"{part}_{what}" in result.data
    ]
    to.print(f"Data: {result.data['name']}, {' and '.join(sizes)} ({result.data['source']}).")
    epochs, made = result.settings["epochs"], result.provenance
    to.print(
        f"Trained for {epochs} {'epochs' if epochs > 1 else 'epoch'} in {result.seconds:.1f} s "
        f"on {made['backend']}, {made['device']}."
    )
    for note in result.notes:
        to.print(note)
    for sentence in result.lost:
        to.print(Text(sentence, "red"))
