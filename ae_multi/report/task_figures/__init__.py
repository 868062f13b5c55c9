"""Figures of the results of tasks, one module per task."""

import importlib
import os

from matplotlib.figure import Figure

from ae_multi.io.atomic import atomic_write
from ae_multi.tasks.result import Result


def draw(result: Result, path: os.PathLike[str] | str) -> None:
    """Draw the result of a task to a file.

    Args:
        result: a `Result`.
        path: file to write; its suffix determines the format.
    """
    figure = Figure(layout="constrained")
    importlib.import_module(f"ae_multi.report.task_figures.{result.task}").draw(result, figure)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight", pad_inches=0.15)
