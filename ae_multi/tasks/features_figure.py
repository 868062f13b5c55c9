"""Figure of ``features``: accuracies and the confusion matrix."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ae_multi.tasks.plotting import (
    BASELINE_COLOURS,
    MODEL_COLOUR,
    heading,
    open_frame,
)
from ae_multi.tasks.result import Result


def draw(result: Result, figure: Figure) -> None:
    """Draw accuracies and the confusion matrix of a `Result` of ``features``."""
    figure.set_size_inches(11, 4.6)
    heading(figure, result)
    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
    methods = list(result.rows)
    values = [result.rows[method][0] for method in methods]
    colours = [MODEL_COLOUR, *BASELINE_COLOURS][: len(methods)]
    bars = left.barh(methods[::-1], values[::-1], color=colours[::-1])
    left.bar_label(bars, [f"{value:.1%}" for value in values[::-1]], padding=4, fontsize=10)
    left.set_xlim(0, 1.12)
    left.set_xticks(np.linspace(0, 1, 6))
    left.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    left.set_xlabel("test images classified correctly")
    left.tick_params(axis="y", length=0)
    open_frame(left)
    _matrix(right, result.picture["confusion"], result.picture["classes"])


def _matrix(axes: Axes, confusion: np.ndarray, classes: np.ndarray) -> None:
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)  # the root makes rare ones visible
    if len(classes) <= 12:
        for row, column in zip(*np.nonzero(confusion), strict=True):
            dark = shares[row, column] > 0.4
            axes.text(
                column,
                row,
                confusion[row, column],
                ha="center",
                va="center",
                fontsize=8,
                color="white" if dark else "0.2",
            )
    axes.set_xticks(range(len(classes)), classes)
    axes.set_yticks(range(len(classes)), classes)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("class predicted from the autoencoder's codes")
    axes.set_ylabel("true class")
