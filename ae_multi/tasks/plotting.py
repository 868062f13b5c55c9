"""Drawing of a task's result to a file; helpers and colours shared by the figures of tasks.

The module ``<task>_figure`` draws the figure of a task. These modules import Matplotlib, and are
imported only when a figure is drawn.
"""

import importlib
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from ae_multi.io.atomic import atomic_write
from ae_multi.tasks.result import Result

# Distinct in greyscale and for colour-blind readers (Okabe & Ito).
MODEL_COLOUR, BASELINE_COLOURS = "#0072B2", ("#D55E00", "0.45", "0.7")


def draw_result(result: Result, path: os.PathLike[str] | str) -> None:
    """Draw the result of a task to a file.

    Args:
        result: a `Result`.
        path: file to write; its suffix determines the format.
    """
    figure = Figure(layout="constrained")
    importlib.import_module(f"ae_multi.tasks.{result.task}_figure").draw(result, figure)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=130, bbox_inches="tight", pad_inches=0.15)


def heading(figure: Figure, result: Result) -> None:
    """Set the title of the figure: title of the task and name of the data."""
    title = f"{literal(result.title)} ({literal(result.data['name'])})"
    figure.suptitle(title, fontsize=12, fontweight="bold")


def literal(text: str) -> str:
    """Return ``text`` with dollar signs escaped, which start a formula in Matplotlib."""
    return text.replace("$", r"\$")


def mosaic(
    axes: Axes,
    rows: Sequence[np.ndarray],
    labels: Sequence[str],
    gap: int = 2,
    **colours: Any,
) -> tuple[AxesImage, tuple[int, int]]:
    """Draw images in rows, with a label beside each row.

    Args:
        axes: axes to draw on.
        rows: arrays of shape (n, height, width) or (n, height, width, channels), whose channels
            are averaged.
        labels: a label for each row.
        gap: pixels between images.
        **colours: keywords of ``imshow``; the default is dark on white, from 0 to 1.

    Returns:
        The result of ``imshow``, and the distance (down, across) between neighbouring images.
    """
    rows = [row.mean(axis=-1) if row.ndim == 4 else row for row in rows]
    images = np.stack(rows).astype(float)
    count, columns, height, width = images.shape
    down, across = height + gap, width + gap
    sheet = np.full((count * down - gap, columns * across - gap), np.nan)
    for row in range(count):
        for column in range(columns):
            sheet[row * down :, column * across :][:height, :width] = images[row, column]
    image = axes.imshow(
        sheet, **{"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest", **colours}
    )
    axes.set_yticks([row * down + height / 2 for row in range(count)], labels, fontsize=9)
    bare(axes)
    return image, (down, across)


def bare(axes: Axes) -> None:
    """Remove the ticks of the x axis and the frame."""
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def open_frame(axes: Axes) -> None:
    """Remove the top and right sides of the frame."""
    axes.spines[["top", "right"]].set_visible(False)


def values_of(result: Result, method: str) -> str:
    """Return the numbers of a method as text, such as "PSNR 18.20 dB, SSIM 0.8100"."""
    return ", ".join(
        f"{measure.name} {measure.text(value)}"
        for measure, value in zip(result.measures, result.rows[method], strict=True)
    )
