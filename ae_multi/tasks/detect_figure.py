"""Figure of ``detect``: ROC curves, scores and threshold, and the most extreme samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import LogLocator, NullFormatter

from ae_multi.tasks.plotting import (
    BASELINE_COLOURS,
    MODEL_COLOUR,
    heading,
    literal,
    mosaic,
    open_frame,
)
from ae_multi.tasks.result import Result


def draw(result: Result, figure: Figure) -> None:
    """Draw a `Result` of ``detect``."""
    picture = result.picture
    images = picture["columns"] is None
    figure.set_size_inches(12, 6.9 if images else 7.5)
    heading(figure, result)
    heights = [1.4 if images else 1.1, 1]
    top, bottom = figure.subfigures(2, 1, height_ratios=heights)  # type: ignore[misc]
    left, right = top.subplots(1, 2, width_ratios=[1, 1.5])
    _curves(left, picture)
    _histogram(right, picture)
    (_images if images else _rows)(bottom, picture)


def _curves(axes: Axes, picture: Mapping[str, Any]) -> None:
    styles = zip(picture["curves"].items(), (MODEL_COLOUR, *BASELINE_COLOURS), strict=False)
    for (name, (false, true)), colour in styles:
        axes.plot(
            false, true, color=colour, linewidth=2.2, label=f"{name}: {picture['areas'][name]:.4f}"
        )
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle=":")
    axes.set_aspect("equal")
    axes.set_xlabel("false alarms (share of normal samples)")
    axes.set_ylabel("detected (share of anomalies)")
    axes.set_title("ROC curves and the area under them", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    open_frame(axes)


def _histogram(axes: Axes, picture: Mapping[str, Any]) -> None:
    scores, anomalous = picture["scores"], picture["anomalous"]
    positive = np.maximum(scores, 1e-12)
    bins = np.geomspace(positive.min(), positive.max() * 1.0001, 50)
    for chosen, colour, word in (
        (~anomalous, MODEL_COLOUR, "normal"),
        (anomalous, BASELINE_COLOURS[0], "anomalous"),
    ):
        share = np.full(chosen.sum(), 1 / chosen.sum())
        axes.hist(
            positive[chosen],
            bins.tolist(),
            weights=share,
            color=colour,
            alpha=0.55,
            label=f"{word} ({chosen.sum():,})",
        )
    axes.axvline(picture["threshold"], color="0.2", linewidth=1.5)
    axes.annotate(
        " threshold",
        (picture["threshold"], 1),
        xycoords=("data", "axes fraction"),
        va="top",
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("the autoencoder's score")
    axes.set_ylabel("share of normal or anomalous samples")
    axes.set_title("scores of test samples", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    open_frame(axes)


def _images(figure: SubFigure, picture: Mapping[str, Any]) -> None:
    """Draw the most normal and the most anomalous images and their error maps."""
    axes = figure.subplots(1, 2)
    largest = max(errors.max() for _, errors, _, _ in picture["extremes"].values())
    for each, (name, (images, errors, scores, anomalous)) in zip(
        axes, picture["extremes"].items(), strict=True
    ):
        # Roots of errors have the unit of the images; dark is large.
        rows = [images, np.sqrt(errors / largest)]
        _, (_, across) = mosaic(each, rows, ["image", "error"])
        for column, (score, is_anomaly) in enumerate(zip(scores, anomalous, strict=True)):
            each.text(
                column * across + images.shape[2] / 2,
                -2,
                f"{score:.3g}\n{'anomalous' if is_anomaly else 'normal'}",
                ha="center",
                va="bottom",
                fontsize=8,
                color=BASELINE_COLOURS[0] if is_anomaly else MODEL_COLOUR,
            )
        each.set_title(f"the {name}, by score", fontsize=10, pad=30)


def _rows(figure: SubFigure, picture: Mapping[str, Any]) -> None:
    """Draw for each of the most anomalous rows the columns with the largest errors."""
    _, errors, scores, anomalous = picture["extremes"]["most anomalous"]
    names = np.array(picture["columns"])
    for axes, row, score, is_anomaly in zip(
        figure.subplots(1, len(errors), squeeze=False)[0], errors, scores, anomalous, strict=True
    ):
        order = np.argsort(row)[-6:]
        # Positions, not names: truncated names may be equal.
        axes.barh(
            range(len(order)),
            row[order] / row.sum(),
            color=BASELINE_COLOURS[0] if is_anomaly else MODEL_COLOUR,
        )
        axes.set_yticks(range(len(order)), [literal(name[:14]) for name in names[order]])
        axes.set_title(f"{score:.3g}\n{'anomalous' if is_anomaly else 'normal'}", fontsize=9)
        axes.tick_params(axis="y", labelsize=8, length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        open_frame(axes)
    figure.suptitle("the most anomalous rows and the columns with the largest errors", fontsize=10)
