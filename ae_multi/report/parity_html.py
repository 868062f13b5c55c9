"""HTML report of parity checks: the conclusion, the network, the errors and the environment."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ae_multi.parity.bounds import SOURCES
from ae_multi.parity.curves import FAULT, ULP_PERTURBED
from ae_multi.parity.divergence import Divergence, format_error, format_value
from ae_multi.report.html import (
    Html,
    definitions,
    element,
    join,
    machine_line,
    number_cell,
    page,
    table,
    verdict,
    write_page,
)
from ae_multi.report.html_charts import format_share, line_chart, share_chart
from ae_multi.report.network_html import network

if TYPE_CHECKING:
    from ae_multi.parity import Report

_CURVES = {
    "epoch": "Distance from float64 in an epoch of SGD with momentum",
    "training": "Distance from float64 in the training with the model's own optimizer",
}


def write_parity_page(
    reports: Sequence[Report],
    path: os.PathLike[str] | str,
    machine: Mapping[str, Any] | None = None,
) -> None:
    """Write checks of models as one self-contained HTML file, atomically.

    Args:
        reports: `ae_multi.parity.Report` objects.
        path: file to write.
        machine: description of the machine, as from `ae_multi.environment.describe_machine`; or
            None.
    """
    write_page(path, parity_page(reports, machine))


def parity_page(reports: Sequence[Report], machine: Mapping[str, Any] | None = None) -> Html:
    """Return checks of models as one HTML document, see `write_parity_page`."""
    if len(reports) == 1:
        title = f"Parity of {reports[0].model}"
        return page(title, element("h1", title), *_sections(reports[0]), machine_line(machine))
    count = sum(report.agree for report in reports)
    title = f"Parity of {len(reports)} models"
    contents = element(
        "ul",
        *(
            element(
                "li",
                element("a", report.model, href=f"#model-{number}"),
                " ",
                verdict(report.agree, report.conclusion.headline, "span"),
            )
            for number, report in enumerate(reports, 1)
        ),
    )
    models = (
        element(
            "section",
            element("h1", report.model),
            *_sections(report),
            id=f"model-{number}",
        )
        for number, report in enumerate(reports, 1)
    )
    head = verdict(
        count == len(reports), f"The backends agree on {count} of {len(reports)} models."
    )
    return page(title, element("h1", title), head, contents, *models, machine_line(machine))


def _sections(report: Report) -> Iterator[Html]:
    yield _conclusion(report)
    layers = network(report)
    if layers:
        yield element("h2", "The network")
        yield layers
    yield element(
        "h2",
        "Values at the first divergence" if not report.agree else "Values closest to their bound",
    )
    yield _values(report)
    yield element("h2", "Error by stage")
    yield share_chart("Largest error over its bound, by stage", _shares(report))
    yield _stages(report)
    yield from _by_step(report)
    yield element("h2", "Environment")
    yield _environment(report)


def _conclusion(report: Report) -> Html:
    conclusion = report.conclusion
    notes = [*report.remark_lines(), *report.omission_lines()]
    return element(
        "section",
        verdict(report.agree, conclusion.headline),
        definitions(conclusion.facts),
        *(element("p", note, class_="soft") for note in notes),
        class_="conclusion " + ("good" if report.agree else "bad"),
    )


def _values(report: Report) -> Html:
    """Return a table of values at the first divergence, or at the entry closest to its bound."""
    entry = report.first_divergence or max(
        (stage.closest for stage in report.stages), key=lambda closest: closest.excess
    )
    reference = f"{entry.reference} (reference)" if entry.reference else "float64"
    rows = [
        (
            element("span", backend, class_="name-of-backend"),
            *_value_cells(entry, backend),
            number_cell(entry.error[backend], format_error, error=entry.error[backend]),
            number_cell(entry.bound[backend], format_error, bound=entry.bound[backend]),
            _share_cell(entry, backend),
        )
        for backend in entry.error
    ]
    headers = ("backend", "value", reference, "difference", "error", "bound", "error / bound")
    measure = f"Errors are relative to the {entry.measure}, {entry.scale:.6g}." * bool(
        entry.measure
    )
    return join(
        [
            table(f"{entry.place_text}: where each error is largest", headers, rows, range(1, 7)),
            element("p", measure, class_="soft"),
        ]
    )


def _value_cells(entry: Divergence, backend: str) -> Iterator[Html]:
    """Yield the value of a backend, the reference and their difference."""
    if backend not in entry.at:
        equal = element("td", "equal bit for bit", colspan="3", class_="number")
        yield equal
        return
    value, right = entry.at[backend]
    for number in (value, right):
        yield element("td", format_value(number), class_="number", data_value=repr(number))
    try:
        yield element("td", f"{value - right:.3g}", class_="number")
    except TypeError:  # names of types
        yield element("td", "", class_="number")


def _shares(report: Report) -> dict[str, dict[str, float]]:
    """Return a dict of stage to a dict of backend to its largest error over its bound."""
    return {
        stage.name: {
            backend: max(e.share(backend) for e in stage.entries if backend in e.error)
            for backend in stage.largest
        }
        for stage in report.stages
    }


def _stages(report: Report) -> Html:
    """Return the table of the stages, with the largest error of each backend."""
    backends = list(dict.fromkeys(b for stage in report.stages for b in stage.largest))
    rows = []
    for stage in report.stages:
        entry, worst = stage.closest, stage.closest.worst
        place = f"{entry.name} on {worst}" if entry.error[worst] else "all equal"
        rows.append(
            (
                stage.name,
                element("td", "✓ agree", class_="agree")
                if stage.holds
                else element("td", "✗ differ", class_="differ"),
                str(stage.compared),
                *(
                    number_cell(
                        stage.largest[b],
                        format_error,
                        stage=stage.name,
                        backend=b,
                        largest=stage.largest[b],
                    )
                    if b in stage.largest
                    else ""
                    for b in backends
                ),
                place,
                number_cell(entry.bound[worst], format_error),
                entry.source[worst],
            )
        )
    headers = (
        "stage",
        "verdict",
        "compared",
        *backends,
        "closest to its bound",
        "bound",
        "bound by",
    )
    numbers = table(
        f"Largest relative error of each backend, compared with float64 on {report.oracle}",
        headers,
        rows,
        range(2, 3 + len(backends)),
    )
    sources = dict.fromkeys(
        source for stage in report.stages for e in stage.entries for source in e.source.values()
    )
    explanation = element(
        "details",
        element("summary", "Where each bound comes from"),
        definitions((source, SOURCES[source]) for source in sources),
        class_="more",
    )
    return join([numbers, explanation])


def _by_step(report: Report) -> Iterator[Html]:
    """Yield the charts of the losses by step, and a table of the numbers."""
    losses = next((stage for stage in report.stages if stage.name == "losses"), None)
    if losses is not None:
        curves = {b: [e.error.get(b, math.nan) for e in losses.entries] for b in losses.largest}
        bound = [max(entry.bound.values()) for entry in losses.entries]
        yield element("h2", "Error by step")
        yield line_chart(
            "Largest error of the loss so far, by step", curves, "step", "error of the loss", bound
        )
        rows = [
            (
                entry.name,
                *(
                    number_cell(entry.error[b], format_error, step=place, backend=b, error=e)
                    for b, e in entry.error.items()
                ),
                number_cell(max(entry.bound.values()), format_error),
            )
            for place, entry in enumerate(losses.entries)
        ]
        headers = ("step", *losses.largest, "largest bound")
        yield element(
            "details",
            element("summary", "Numbers of this chart"),
            table("Largest error of the loss so far", headers, rows, range(1, len(headers))),
            class_="more",
        )
    for stage, runs in report.curves.items():
        if runs:
            title = _CURVES.get(stage, stage)
            yield element("h3", title)
            yield line_chart(title, dict(_largest_so_far(runs)), "step", "distance from float64")


def _largest_so_far(runs: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, list[float]]]:
    """Yield (label, largest distance so far at each step) of each run.

    A distance may be small by chance, so a decrease is not shown.
    """
    for name, distances in runs.items():
        label = name
        if name == FAULT:
            label = "fault: learning rate 0.1 % too large"
        elif name.startswith(ULP_PERTURBED):
            label = f"rounding, {name.rpartition(' ')[2]}"
        largest = np.maximum.accumulate(np.nan_to_num(distances, nan=np.inf, posinf=np.inf))
        yield label, largest.tolist()


def _environment(report: Report) -> Html:
    names = list(
        dict.fromkeys(n for about in report.backends.values() for n in about.get("versions", {}))
    )
    rows = [
        (
            backend,
            *(str(about.get("versions", {}).get(name, "")) for name in names),
            str(about.get("device", "")),
            str(about.get("precision", "")),
        )
        for backend, about in report.backends.items()
    ]
    return table("Versions and devices", ("backend", *names, "device", "precision"), rows)


def _share_cell(entry: Divergence, backend: str) -> Html:
    """Return a cell with an error over its bound, marked with ✗ if it is beyond the bound."""
    beyond = backend in (*entry.diverging, *entry.remarks)
    text = format_share(entry.share(backend))
    return element(
        "td", f"✗ {text}" if beyond else text, class_="number beyond" if beyond else "number"
    )
