"""Figure of ``reduce``: codes as points, and interpolations between codes of images."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ae_multi.tasks.plotting import heading, mosaic, open_frame
from ae_multi.tasks.result import Result


def draw(result: Result, figure: Figure) -> None:
    """Draw the latent space of a `Result` of ``reduce``."""
    picture = result.picture
    walks = picture["walks"]
    figure.set_size_inches(13, 5.4)
    heading(figure, result)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    _scatter(left, picture)
    rows = [
        np.concatenate([start[np.newaxis], walk, end[np.newaxis]])
        for walk, (start, end) in zip(walks, picture["ends"], strict=True)
    ]
    _, (_, across) = mosaic(right, rows, [""] * len(rows))
    # Lines separate the test images from decoded images.
    for edge in (across - 1.5, (rows[0].shape[0] - 1) * across - 1.5):
        right.axvline(edge, color="0.5", linewidth=1)
    right.set_title("interpolations in latent space between two test images", fontsize=10)
    model, baseline, *_ = result.rows
    figure.supxlabel(
        f"test MSE: {model} {result.rows[model][0]:.5f}, {baseline} {result.rows[baseline][0]:.5f}",
        fontsize=10,
    )


def _scatter(axes: Axes, picture: Mapping[str, Any]) -> None:
    points, labels = picture["points"], picture["labels"]
    if points.shape[1] == 1:  # a single code: the class is the second axis
        points = np.column_stack([points[:, 0], labels])
    classes = np.unique(labels)
    colours = colormaps["tab10" if len(classes) <= 10 else "viridis"].resampled(len(classes))
    for index, each in enumerate(classes):
        chosen = points[labels == each]
        x, y = chosen.T
        axes.scatter(x, y, s=14, color=colours(index), alpha=0.65, linewidth=0, label=each)
        axes.annotate(
            str(each),
            np.median(chosen, axis=0),
            ha="center",
            va="center",
            fontsize=12,
            fontweight="bold",
            bbox={
                "boxstyle": "circle,pad=0.15",
                "fc": "white",
                "ec": colours(index),
                "alpha": 0.85,
            },
        )
    names = picture["axes"] if picture["points"].shape[1] > 1 else ("code", "class")
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_title("test images by their codes, coloured by class", fontsize=10)
    open_frame(axes)
