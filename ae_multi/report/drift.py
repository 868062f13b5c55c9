"""Pictures of trainings that drift from float64: rounding, chaos and faults, told apart."""

import numpy as np
from matplotlib.figure import Figure

from ae_multi.io.atomic import atomic_write
from ae_multi.parity.curves import FAULT, ULP_PERTURBED
from ae_multi.report.figures import STYLES

_TITLES = {"epoch": "SGD with momentum", "training": "the model's own optimizer"}
_FLOOR = 1e-9  # equal to the last bit, which a logarithmic axis cannot show


def draw_curves(reports, path):
    """Distance from float64 at each step, on a logarithmic axis; a row for each model.

    Args:
        reports: list of `ae_multi.parity.Report` with curves.
        path: where the figure goes; its suffix chooses the format.
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
    grey = False
    for name, gaps in curves.items():
        # What was reached so far: a gap that closes by luck is no better than before.
        reached = np.maximum(np.maximum.accumulate(np.nan_to_num(gaps, nan=np.inf)), _FLOOR)
        steps = np.arange(1, len(reached) + 1)
        if name.startswith(ULP_PERTURBED):
            label = None if grey else "perturbed by rounding, one backend"
            axes.plot(steps, reached, color="0.6", linewidth=1, label=label, zorder=1)
            grey = True
        elif name == FAULT:
            label = "fault: learning rate 0.1 % too large"
            axes.plot(steps, reached, color="#CC79A7", linewidth=2.2, label=label)
        else:
            axes.plot(steps, reached, label=name, **STYLES[name])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
