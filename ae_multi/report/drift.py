"""Figure of the distance of trainings from float64 at each step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from ae_multi.io.atomic import atomic_write
from ae_multi.parity.curves import FAULT, ULP_PERTURBED
from ae_multi.report.figures import STYLES

if TYPE_CHECKING:
    from ae_multi.parity import Report

_TITLES = {"epoch": "SGD with momentum", "training": "the model's own optimizer"}
_FLOOR = 1e-9  # drawn in place of 0, which a logarithmic axis does not have


def draw_curves(reports: Sequence[Report], path: os.PathLike[str] | str) -> None:
    """Draw the distance from float64 at each step on logarithmic axes, a row for each model.

    Args:
        reports: `ae_multi.parity.Report` objects with curves.
        path: file of the figure; the suffix selects the format.
    """
    stages = list(dict.fromkeys(stage for report in reports for stage in report.curves))
    size = (6.5 * len(stages), 3.4 * len(reports) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(reports), len(stages), squeeze=False, sharey=True)
    for row, report in zip(grid, reports, strict=True):
        for axes, stage in zip(row, stages, strict=True):
            _draw(axes, report.curves.get(stage, {}))
            name = report.model.rpartition(":")[2]
            axes.set_title(f"{name}, {_TITLES[stage]}", fontsize=10)
        row[0].set_ylabel("distance from float64,\nrelative to the step's loss")
    for axes in grid[-1]:
        axes.set_xlabel("step")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw(axes, curves):
    has_label = False
    for name, distances in curves.items():
        # The largest distance so far is drawn, since a distance may be small by chance.
        largest = np.maximum(np.maximum.accumulate(np.nan_to_num(distances, nan=np.inf)), _FLOOR)
        steps = np.arange(1, len(largest) + 1)
        if name.startswith(ULP_PERTURBED):
            label = None if has_label else "perturbed by rounding, one backend"
            axes.plot(steps, largest, color="0.6", linewidth=1, label=label, zorder=1)
            has_label = True
        elif name == FAULT:
            label = "fault: learning rate 0.1 % too large"
            axes.plot(steps, largest, color="#CC79A7", linewidth=2.2, label=label)
        else:
            axes.plot(steps, largest, label=name, **STYLES.get(name, {}))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
