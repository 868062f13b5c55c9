"""List of the layers of a network, coloured by how close their errors are to their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ae_multi.parity.divergence import Divergence, format_error, format_value
from ae_multi.report.html import Html, element, join, table
from ae_multi.report.html_charts import format_share

if TYPE_CHECKING:
    from ae_multi.parity import Report

# Stages whose entries belong to a layer: the heading of each.
_COLUMNS = {
    "start": "initial weights",
    "forward": "inference",
    "training forward": "training",
    "gradient": "gradient",
    "one step": "one step",
}
_CALLS = ("forward", "training forward")


@dataclass
class LayerErrors:
    """Entries of a check that belong to one call of a layer.

    Attributes:
        name: name of the layer.
        kind: class of the layer.
        shape: shape of its output, or None.
        entries: dict of stage to its entries.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    entries: dict[str, list[Divergence]] = field(default_factory=dict)


def layer_errors(report: Report) -> list[LayerErrors]:
    """Return the layers of a network in the order of their calls, with their entries.

    Weights of layers that are not called, and the loss, come last.
    """
    stages = {stage.name: stage for stage in report.stages if stage.name in _COLUMNS}
    layers: list[LayerErrors] = []
    for stage in _CALLS:
        seen: dict[str, int] = {}
        for entry in stages[stage].entries if stage in stages else []:
            number = seen[entry.name] = seen.get(entry.name, 0) + 1
            called = [layer for layer in layers if layer.name == entry.name]
            if number <= len(called):
                layer = called[number - 1]
            else:
                layer = LayerErrors(entry.name, entry.layer, entry.shape)
                layers.append(layer)
            layer.entries.setdefault(stage, []).append(entry)
    for stage in stages:
        for entry in stages[stage].entries if stage not in _CALLS else []:
            owner = entry.name.rpartition("/")[0] or entry.name
            found = [layer for layer in layers if layer.name == owner]
            if not found:
                found = [LayerErrors(owner, entry.layer, None)]
                layers += found
            found[0].entries.setdefault(stage, []).append(entry)
    return layers


def network(report: Report) -> Html:
    """Return the network as a list of layers that can be opened; empty without recorded layers."""
    layers = layer_errors(report)
    if not layers:
        return Html("")
    columns = [name for name in _COLUMNS if any(name in layer.entries for layer in layers)]
    first = report.first_divergence
    heading = element(
        "div",
        element("span", "layer", class_="name"),
        *(element("span", _COLUMNS[name]) for name in columns),
        class_="heading",
        aria_hidden="true",
    )
    items = (element("li", _layer(layer, columns, first)) for layer in layers)
    return element(
        "div",
        element(
            "p",
            "From the input to the output, with the loss and other weights last. A number is the "
            "largest error as a share of what rounding explains: 1 is the bound. Open a layer to "
            "see every number.",
            class_="soft",
        ),
        _legend(),
        heading,
        element("ol", *items, class_="network"),
        style=f"--cells: {len(columns)}",
    )


def _layer(layer: LayerErrors, columns: list[str], first: Divergence | None) -> Html:
    is_first = first is not None and any(
        entry is first for entry in layer.entries.get(first.stage, [])
    )
    kind = layer.kind if layer.shape is None else f"{layer.kind} {layer.shape}"
    name = element(
        "span",
        element("strong", element("bdi", layer.name)),
        element("span", kind, class_="kind"),
        element("span", "first divergence", class_="tag") if is_first else "",
        class_="name",
    )
    cells = (_cell(name, layer.entries.get(name, [])) for name in columns)
    rows = [
        row
        for stage, entries in layer.entries.items()
        for entry in entries
        for row in _rows(stage, entry)
    ]
    headers = ("stage", "array", "backend", "error", "bound", "error / bound", "value", "reference")
    return element(
        "details",
        element("summary", name, *cells),
        table(f"Errors of {layer.name}", headers, rows, range(3, 8)),
        open=is_first,
        class_="first" if is_first else None,
    )


def _cell(stage: str, entries: list[Divergence]) -> Html:
    """Return the largest error over its bound in one stage of a layer, as a coloured cell."""
    label = element("small", _COLUMNS[stage], class_="stage")
    if not entries:
        return element("span", label, "–", class_="cell none")
    worst = max(entries, key=lambda entry: entry.excess)
    backends = [b for entry in entries for b in entry.diverging]
    text = format_share(worst.excess)
    if backends:
        where = element("small", ", ".join(dict.fromkeys(backends)))
        return element("span", label, f"✗ {text}", where, class_="cell beyond")
    return element("span", label, text, class_=f"cell m{_margin(worst.excess)}")


def _margin(share: float) -> int:
    """Return the index of the colour of an error within its bound, from 0 to 4."""
    return sum(share > limit for limit in (0.0, 0.1, 0.3, 0.6))


def _rows(stage: str, entry: Divergence) -> Iterator[list[str]]:
    for backend, error in entry.error.items():
        bound = entry.bound[backend]
        is_beyond = backend in (*entry.diverging, *entry.remarks)
        share = format_share(entry.share(backend))
        value, right = entry.at.get(backend, ("", ""))
        yield [
            stage,
            entry.name,
            backend,
            element(
                "td",
                format_error(error),
                class_="number",
                data_stage=stage,
                data_place=entry.place,
                data_backend=backend,
                data_error=repr(error),
                data_bound=repr(bound),
            ),
            format_error(bound),
            element("td", f"✗ {share}", class_="number beyond") if is_beyond else share,
            format_value(value),
            format_value(right),
        ]


def _legend() -> Html:
    steps = ("0", "≤ 0.1", "≤ 0.3", "≤ 0.6", "≤ 1")
    cells = [element("span", text, class_=f"cell m{step}") for step, text in enumerate(steps)]
    cells.append(element("span", "✗ beyond", class_="cell beyond"))
    return element("p", "error / bound: ", join(cells), class_="legend")
