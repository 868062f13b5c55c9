"""Codes as points, and walks from one image to another through the codes between."""

import numpy as np
from matplotlib import colormaps

from ae_multi.report.task_figures.plotting import heading, mosaic, open_frame


def draw(result, figure):
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
    # The test images stand apart from what the decoder made.
    for edge in (across - 1.5, (rows[0].shape[0] - 1) * across - 1.5):
        right.axvline(edge, color="0.5", linewidth=1)
    right.set_title("walks through latent space, between two test images each", fontsize=10)
    ours, floor, *_ = result.rows
    figure.supxlabel(
        f"test MSE: {ours} {result.rows[ours][0]:.5f}, {floor} {result.rows[floor][0]:.5f}",
        fontsize=10,
    )


def _scatter(axes, picture):
    points, labels = picture["points"], picture["labels"]
    if points.shape[1] == 1:  # a single code: spread out by class
        points = np.column_stack([points[:, 0], labels])
    classes = np.unique(labels)
    colours = colormaps["tab10" if len(classes) <= 10 else "viridis"].resampled(len(classes))
    for place, each in enumerate(classes):
        chosen = points[labels == each]
        axes.scatter(*chosen.T, s=14, color=colours(place), alpha=0.65, linewidth=0, label=each)
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
                "ec": colours(place),
                "alpha": 0.85,
            },
        )
    names = picture["axes"] if picture["points"].shape[1] > 1 else ("code", "class")
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    axes.set_title("test images by their codes, coloured by class", fontsize=10)
    open_frame(axes)
