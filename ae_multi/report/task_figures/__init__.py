"""A picture for each task."""

import importlib

from matplotlib.figure import Figure

from ae_multi.io.atomic import atomic_write


def draw(result, path):
    """Draw a task's result.

    Args:
        result: a `Result`.
        path: where the figure goes; its suffix chooses the format.
    """
    figure = Figure(layout="constrained")
    importlib.import_module(f"ae_multi.report.task_figures.{result.task}").draw(result, figure)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight", pad_inches=0.15)
