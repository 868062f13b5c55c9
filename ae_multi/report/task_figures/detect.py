"""ROC curves, scores with the line between normal and strange, and what lies at both ends."""

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from ae_multi.report.task_figures.plotting import FLOORS, OURS, heading, literal, mosaic, open_frame


def draw(result, figure):
    """Draw a `Result` of ``detect``."""
    picture = result.picture
    images = picture["columns"] is None
    figure.set_size_inches(12, 6.9 if images else 7.5)
    heading(figure, result)
    top, bottom = figure.subfigures(2, 1, height_ratios=[1.4 if images else 1.1, 1])
    left, right = top.subplots(1, 2, width_ratios=[1, 1.5])
    _curves(left, picture)
    _histogram(right, picture)
    (_images if images else _rows)(bottom, picture)


def _curves(axes, picture):
    styles = zip(picture["curves"].items(), (OURS, *FLOORS), strict=False)
    for (name, (false, true)), colour in styles:
        axes.plot(
            false, true, color=colour, linewidth=2.2, label=f"{name}: {picture['areas'][name]:.4f}"
        )
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle=":")
    axes.set_aspect("equal")
    axes.set_xlabel("false alarms (share of normal)")
    axes.set_ylabel("found (share of strange)")
    axes.set_title("ROC curves and the area under them", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    open_frame(axes)


def _histogram(axes, picture):
    scores, anomalous = picture["scores"], picture["anomalous"]
    positive = np.maximum(scores, 1e-12)
    bins = np.geomspace(positive.min(), positive.max() * 1.0001, 50)
    for chosen, colour, word in ((~anomalous, OURS, "normal"), (anomalous, FLOORS[0], "strange")):
        share = np.full(chosen.sum(), 1 / chosen.sum())
        axes.hist(
            positive[chosen],
            bins,
            weights=share,
            color=colour,
            alpha=0.55,
            label=f"{word} ({chosen.sum():,})",
        )
    axes.axvline(picture["line"], color="0.2", linewidth=1.5)
    axes.annotate(
        " the line", (picture["line"], 1), xycoords=("data", "axes fraction"), va="top", fontsize=9
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:.3g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("the autoencoder's score")
    axes.set_ylabel("share of its kind")
    axes.set_title("scores of test samples", fontsize=10)
    axes.legend(frameon=False, fontsize=9)
    open_frame(axes)


def _images(figure, picture):
    axes = figure.subplots(1, 2)
    most = max(errors.max() for _, errors, _, _ in picture["extremes"].values())
    for each, (name, (images, errors, scores, anomalous)) in zip(
        axes, picture["extremes"].items(), strict=True
    ):
        # Errors on the images' own scale, dark where large.
        rows = [images, np.sqrt(errors / most)]
        _, (_, across) = mosaic(each, rows, ["image", "error"])
        for column, (score, odd) in enumerate(zip(scores, anomalous, strict=True)):
            each.text(
                column * across + images.shape[2] / 2,
                -2,
                f"{score:.3g}\n{'strange' if odd else 'normal'}",
                ha="center",
                va="bottom",
                fontsize=8,
                color=FLOORS[0] if odd else OURS,
            )
        each.set_title(f"the {name}, by score", fontsize=10, pad=30)


def _rows(figure, picture):
    """For each of the strangest rows the columns that its alarm comes from."""
    _, errors, scores, anomalous = picture["extremes"]["strangest"]
    names = np.array(picture["columns"])
    for axes, row, score, odd in zip(
        figure.subplots(1, len(errors), squeeze=False)[0], errors, scores, anomalous, strict=True
    ):
        order = np.argsort(row)[-6:]
        # By place: two names may begin alike.
        axes.barh(range(len(order)), row[order] / row.sum(), color=FLOORS[0] if odd else OURS)
        axes.set_yticks(range(len(order)), [literal(name[:14]) for name in names[order]])
        axes.set_title(f"{score:.3g}\n{'strange' if odd else 'normal'}", fontsize=9)
        axes.tick_params(axis="y", labelsize=8, length=0)
        axes.tick_params(axis="x", labelsize=8)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        open_frame(axes)
    figure.suptitle("the strangest rows, and which columns their errors come from", fontsize=10)
