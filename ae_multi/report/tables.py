"""Tables for the terminal."""

import sys

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from ae_multi.terminal import discard, visible, write_any_text

_VERDICTS = {
    "agree": ("AGREE", "bold green"),
    "differ": ("DIFFER", "bold red"),
    "one backend": ("one backend", "yellow"),
}
# Where nobody's window sets a width, in a log say, tables get the width that they need.
_LOG_WIDTH = 132


class PlainConsole(Console):
    """A rich console that prints text as it is: "[bold]" and ":smile:" mean nothing special.

    File names, layer names and error messages come from outside and may hold any character, so
    that styles are given as arguments or as `rich.text.Text`, never as markup.
    """

    def __init__(self, **options):
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def render_str(self, text, **options):
        """Turn a string into `Text`, with control characters as escapes."""
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self):
        """Print nothing more where the reader has gone: results still go into their files."""
        self.quiet = True
        discard(self.file)


def console(stderr=False):
    """Return a console on stdout or stderr that does not fold tables into a log."""
    write_any_text(sys.stderr if stderr else sys.stdout)
    made = PlainConsole(stderr=stderr)
    return made if made.is_terminal else PlainConsole(stderr=stderr, width=_LOG_WIDTH)


def results_table(results):
    """A row for each model and backend: what ran, and how good and how fast it was.

    Args:
        results: list of dicts as a `Comparison` holds them.
    """
    table = plain_table("Trained and tested")
    for name in ("model", "backend", "plan", "device"):
        table.add_column(name)
    for name in ("parameters", "epochs", "train MSE", "test MSE", "PSNR dB", "PCA MSE"):
        table.add_column(name, justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("samples/s", justify="right")
    for place, result in enumerate(results):
        last = place + 1 == len(results) or results[place + 1]["model"] != result["model"]
        table.add_row(
            result["model"],
            # "2.13.0+cpu" says of the build what the device says of the run
            f"{result['backend']} {result['versions'][result['backend']].partition('+')[0]}",
            result["plan"],
            result["device"],
            f"{result['parameters']:,}",
            str(result["epochs"]),
            f"{result['train_mse']:.5f}",
            Text(f"{result['test_mse']:.5f}", "bold red" if result["notes"] else "bold"),
            f"{result['psnr_db']:.2f}",
            f"{result['pca_mse']:.5f}",
            f"{result['seconds']:.1f}",
            f"{result['samples_per_second']:,.0f}",
            end_section=last,
        )
    notes = [
        Text(f"{r['model']} on {r['backend']}: {note}.", "red")
        for r in results
        for note in r["notes"]
    ]
    return Group(table, *notes)


def agreement_table(agreement):
    """A row for each model: how far the backends are apart, what is allowed, and the verdict.

    Args:
        agreement: dict of model to what `ae_multi.compare.agreement.agreement` returned.
    """
    table = plain_table("Agreement between backends (largest relative difference, and its bound)")
    table.add_column("model")
    table.add_column("initial weights")
    for name in ("first losses", "final test MSE", "spread by rounding"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for model, found in agreement.items():
        spread, bound = found["spread"], found["test_mse_bound"]
        table.add_row(
            model,
            "identical" if found["initial_weights_identical"] else Text("differ", "bold red"),
            f"{found['first_losses_difference']:.1e} ≤ {found['first_losses_bound']:.0e}"
            f" ({found['first_losses_steps']} steps)",
            f"{found['test_mse_difference']:.1e}"
            + (f" ≤ {bound:.1e}" if bound is not None else " (not judged)"),
            f"{spread['deviation']:.1e} ({spread['runs']} runs, {spread['backend']})"
            if spread
            else "not measured",
            Text(*_VERDICTS[found["verdict"]]),
        )
    reasons = [
        Text(f"{model} differs: {reason}.", "red")
        for model, found in agreement.items()
        for reason in found["reasons"]
    ]
    return Group(table, *reasons)


def print_comparison(to, comparison):
    """Print both tables, the data that they came from, and what was left out."""
    data = comparison.data
    to.print()
    to.print(results_table(comparison.results))
    to.print(
        f"Data: {data['name']}, {data['train_images']:,} training and {data['test_images']:,} test "
        f"images ({data['source']}). Predicting the mean image: {data['mean_image_mse']:.5f}."
    )
    for backend in comparison.left_out:
        to.print(f"Left out: {backend}, which is not installed.", style="yellow")
    to.print()
    to.print(agreement_table(comparison.agreement))


def plain_table(title):
    """An empty table in the style of all the others."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
