"""Figures of throughput and of scaling."""

import os
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ae_multi.io.atomic import atomic_write

# Colours of Okabe & Ito, and a line style and a marker for each contender for prints in grey.
STYLES: dict[str, dict[str, Any]] = {
    "native": {"color": "#555555", "linestyle": "--", "marker": "s", "label": "by hand"},
    "ours": {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "ae_multi"},
    "keras.fit": {"color": "#D55E00", "linestyle": ":", "marker": "^", "label": "Keras's fit"},
}
_AXES = {
    "batch": "samples in a batch",
    "width": "width of the hidden layers, times",
    "samples": "samples in an epoch",
    "threads": "processor cores",
}


def draw_throughput(recorded: dict[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw bars of training throughput: a panel for each model, a group for each backend."""
    results = recorded["results"]
    models = list(dict.fromkeys(result["model"] for result in results))
    figure = Figure(figsize=(4.2 * len(models), 3.6), layout="constrained")
    panels = figure.subplots(1, len(models), squeeze=False)[0]
    for axes, model in zip(panels, models, strict=True):
        of_model = [result for result in results if result["model"] == model]
        for number, (name, style) in enumerate(STYLES.items()):
            rates = [result["samples_per_second"][name] for result in of_model]
            positions = [group + 0.27 * (number - 1) for group in range(len(of_model))]
            bars = axes.bar(positions, rates, 0.25, color=style["color"], label=style["label"])
            axes.bar_label(bars, [f"{rate / 1e3:,.3g}" for rate in rates], fontsize=7)
        for group, result in enumerate(of_model):
            limit = result["limits"]["training"]["samples_per_second"]
            label = "limit of the machine" if group == 0 else None
            axes.plot([group - 0.42, group + 0.42], [limit] * 2, "k-", linewidth=1, label=label)
        axes.set_xticks(range(len(of_model)), [result["backend"] for result in of_model])
        axes.set_title(model)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1e3:,.0f}")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("training, thousand samples/s")
    panels[-1].legend(frameon=False, fontsize=8)
    _save(figure, path)


def draw_scaling(recorded: dict[str, Any], path: os.PathLike[str] | str) -> None:
    """Draw a row for each quantity that grows, a column for each backend, a line a contender."""
    points = recorded["points"]
    axes_names = list(dict.fromkeys(point["axis"] for point in points))
    backends = list(dict.fromkeys(point["backend"] for point in points))
    figure = Figure(figsize=(4 * len(backends), 2.9 * len(axes_names)), layout="constrained")
    grid = figure.subplots(len(axes_names), len(backends), squeeze=False, sharey="row")
    for row, axis in zip(grid, axes_names, strict=True):
        for axes, backend in zip(row, backends, strict=True):
            panel = [p for p in points if (p["axis"], p["backend"]) == (axis, backend)]
            for name, style in STYLES.items():
                line = [
                    (point["value"], point["samples_per_second"][name])
                    for point in panel
                    if name in point["samples_per_second"]
                ]
                axes.plot(*zip(*line, strict=True), markersize=4, **style)
            axes.set_xscale("log")
            axes.set_yscale("log")
            if len(panel) < 6:
                axes.set_xticks([p["value"] for p in panel], [_short(p["value"]) for p in panel])
                axes.xaxis.minorticks_off()
            axes.yaxis.set_major_formatter(lambda value, _: _short(value))
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_xlabel(_AXES[axis])
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
    for axes, backend in zip(grid[0], backends, strict=True):
        axes.set_title(backend)
    for row in grid:
        row[0].set_ylabel("samples/s")
    grid[0][0].legend(frameon=False, fontsize=8)
    _save(figure, path)


def _short(value):
    """Format 1000000 as 1M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _save(figure, path):
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
