"""HTML report of a comparison: agreement, loss curves, plans and quality of each backend."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ae_multi.report.html import (
    Html,
    definitions,
    element,
    machine_line,
    number_cell,
    page,
    table,
    verdict,
    write_page,
)
from ae_multi.report.html_charts import line_chart

if TYPE_CHECKING:
    from ae_multi.compare import Comparison

_VERDICTS = {
    "agree": (True, "The backends agree."),
    "differ": (False, "The backends differ."),
    "one backend": (None, "Only one backend was run, so there is nothing to compare."),
}
# Field of a result: header of its column and format.
_NUMBERS = {
    "parameters": ("parameters", "{:,}"),
    "epochs": ("epochs", "{}"),
    "train_mse": ("train MSE", "{:.5f}"),
    "test_mse": ("test MSE", "{:.5f}"),
    "psnr_db": ("PSNR dB", "{:.2f}"),
    "pca_mse": ("PCA MSE", "{:.5f}"),
    "seconds": ("seconds", "{:.1f}"),
    "samples_per_second": ("samples/s", "{:,.0f}"),
}


def write_comparison_page(
    comparison: Comparison,
    path: os.PathLike[str] | str,
    machine: Mapping[str, Any] | None = None,
) -> None:
    """Write a comparison as one self-contained HTML file, atomically.

    Args:
        comparison: an `ae_multi.compare.Comparison`.
        path: file to write.
        machine: description of the machine, as from `ae_multi.environment.describe_machine`; or
            None.
    """
    write_page(path, comparison_page(comparison, machine))


def comparison_page(comparison: Comparison, machine: Mapping[str, Any] | None = None) -> Html:
    """Return a comparison as one page, see `write_comparison_page`."""
    data = comparison.data
    title = f"Comparison of backends on {data['name']}"
    about = (
        f"Data: {data['name']}, {data['train_images']:,} training and {data['test_images']:,} test "
        f"images ({data['source']}). MSE of the mean image: {data['mean_image_mse']:.5f}."
    )
    sections = (
        element(
            "section",
            element("h2", model),
            *_model([r for r in comparison.results if r["model"] == model], result),
        )
        for model, result in comparison.agreement.items()
    )
    return page(
        title,
        element("h1", title),
        verdict(*_overall(comparison)),
        element("p", about),
        *(
            element("p", f"Left out: {backend}, which is not installed.", class_="soft")
            for backend in comparison.left_out
        ),
        *sections,
        machine_line(machine),
    )


def _overall(comparison: Comparison) -> tuple[bool | None, str]:
    """Return (whether the backends agree on every model, None with one backend; a sentence)."""
    verdicts = {result["verdict"] for result in comparison.agreement.values()}
    if verdicts == {"one backend"}:
        return _VERDICTS["one backend"]
    if comparison.agree:
        return True, "The backends agree on every model."
    return False, "The backends differ on at least one model."


def _model(results: Sequence[Mapping[str, Any]], agreement: Mapping[str, Any]) -> Iterator[Html]:
    """Yield the agreement of one model, its loss curves and its results."""
    is_good, text = _VERDICTS[agreement["verdict"]]
    yield element(
        "section",
        verdict(is_good, text),
        definitions(_facts(agreement)),
        class_="conclusion " + ("bad" if is_good is False else "good"),
    )
    curves = {name: result["epoch_losses"] for name, result in _named(results).items()}
    yield line_chart("Training loss (MSE) by epoch", curves, "epoch", "training loss (MSE)")
    yield table(
        "Results of each backend",
        ("backend", "version", "plan", "device", *(header for header, _ in _NUMBERS.values())),
        [_row(name, result) for name, result in _named(results).items()],
        range(4, 4 + len(_NUMBERS)),
    )
    for name, result in _named(results).items():
        for note in result["notes"]:
            yield element("p", f"{name}: {note}.", class_="differ-note")


def _named(results: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return a dict of backend, or "backend plan" if a backend has several results, to result."""
    backends = [result["backend"] for result in results]
    return {
        r["backend"] if backends.count(r["backend"]) == 1 else f"{r['backend']} {r['plan']}": r
        for r in results
    }


def _facts(agreement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (criterion, text with its difference and bound), after the reasons of a difference."""
    for reason in agreement["reasons"]:
        yield "Reason", f"{reason}."
    identical = agreement["initial_weights_identical"]
    yield "Initial weights", "identical bit for bit" if identical else "differ"
    yield (
        "First losses",
        f"largest relative difference {agreement['first_losses_difference']:.1e} in "
        f"{agreement['first_losses_steps']} steps; allowed: {agreement['first_losses_bound']:.0e}",
    )
    bound, spread = agreement["test_mse_bound"], agreement["spread"]
    allowed = "not judged" if bound is None else f"allowed: {bound:.1e}"
    yield (
        "Final test MSE",
        f"largest relative difference {agreement['test_mse_difference']:.1e}; {allowed}",
    )
    if spread:
        yield (
            "Spread by rounding",
            f"{spread['deviation']:.1e}, from {spread['runs']} trainings on {spread['backend']} "
            "that are perturbed by rounding",
        )


def _row(name: str, result: Mapping[str, Any]) -> list[str]:
    """Return the cells of one result."""
    numbers = [
        number_cell(
            result[key], form.format, model=result["model"], backend=name, **{key: result[key]}
        )
        for key, (_, form) in _NUMBERS.items()
    ]
    version = str(result["versions"].get(result["backend"], ""))
    return [name, version, result["plan"], result["device"], *numbers]
