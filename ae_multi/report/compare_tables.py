"""Tables that `ae-multi compare` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.text import Text

from ae_multi.report.tables import plain_table

if TYPE_CHECKING:
    from ae_multi.compare import Comparison

_VERDICTS = {
    "agree": ("AGREE", "bold green"),
    "differ": ("DIFFER", "bold red"),
    "one backend": ("one backend", "yellow"),
}


def results_table(results: Sequence[Mapping[str, Any]]) -> Group:
    """Return a table with a row for each model and backend: plan, device, quality and speed.

    Args:
        results: the ``results`` of an `ae_multi.compare.Comparison`.
    """
    table = plain_table("Results of training")
    for name in ("model", "backend", "plan", "device"):
        table.add_column(name)
    for name in ("parameters", "epochs", "train MSE", "test MSE", "PSNR dB", "PCA MSE"):
        table.add_column(name, justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("samples/s", justify="right")
    for number, result in enumerate(results, 1):
        is_last = number == len(results) or results[number]["model"] != result["model"]
        table.add_row(
            result["model"],
            # The suffix of "2.13.0+cpu" names the build; the column "device" names the device.
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
            end_section=is_last,
        )
    notes = [
        Text(f"{r['model']} on {r['backend']}: {note}.", "red")
        for r in results
        for note in r["notes"]
    ]
    return Group(table, *notes)


def agreement_table(agreement: Mapping[str, Mapping[str, Any]]) -> Group:
    """Return a table with a row for each model: differences, their bounds and the verdict.

    Args:
        agreement: dict of model to the result of `ae_multi.compare.agreement.agreement`.
    """
    table = plain_table("Agreement between backends (largest relative difference, and its bound)")
    table.add_column("model")
    table.add_column("initial weights")
    for name in ("first losses", "final test MSE", "spread by rounding"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for model, result in agreement.items():
        spread, bound = result["spread"], result["test_mse_bound"]
        table.add_row(
            model,
            "identical" if result["initial_weights_identical"] else Text("differ", "bold red"),
            f"{result['first_losses_difference']:.1e} ≤ {result['first_losses_bound']:.0e}"
            f" ({result['first_losses_steps']} steps)",
            f"{result['test_mse_difference']:.1e}"
            + (f" ≤ {bound:.1e}" if bound is not None else " (not judged)"),
            f"{spread['deviation']:.1e} ({spread['runs']} runs, {spread['backend']})"
            if spread
            else "not measured",
            Text(*_VERDICTS[result["verdict"]]),
        )
    reasons = [
        Text(f"{model} differs: {reason}.", "red")
        for model, result in agreement.items()
        for reason in result["reasons"]
    ]
    return Group(table, *reasons)


def print_comparison(to: Console, comparison: Comparison) -> None:
    """Print both tables, the data and the backends that were left out.

    Args:
        to: the rich console to print on.
        comparison: an `ae_multi.compare.Comparison`.
    """
    data = comparison.data
    to.print()
    to.print(results_table(comparison.results))
    to.print(
        f"Data: {data['name']}, {data['train_images']:,} training and {data['test_images']:,} test "
        f"images ({data['source']}). MSE of the mean image: {data['mean_image_mse']:.5f}."
    )
    for backend in comparison.left_out:
        to.print(f"Left out: {backend}, which is not installed.", style="yellow")
    to.print()
    to.print(agreement_table(comparison.agreement))
