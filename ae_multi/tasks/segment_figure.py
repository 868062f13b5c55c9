"""Figure of ``segment``: images, true masks and predicted masks."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ae_multi.tasks.plotting import heading, mosaic, values_of
from ae_multi.tasks.result import Result

_TRUE_POSITIVE, _FALSE_NEGATIVE, _FALSE_POSITIVE = "#009E73", "#0072B2", "#D55E00"


def draw(result: Result, figure: Figure) -> None:
    """Draw the masks of a `Result` of ``segment``."""
    picture = result.picture
    images, truth = picture["images"], picture["truth"]
    labels = ["image", "the digit"]
    labels += [f"{method}\n{values_of(result, method)}" for method in picture["masks"]]
    figure.set_size_inches(2.2 + 0.95 * len(images), 1.0 + 0.95 * len(labels))
    heading(figure, result)
    axes = figure.subplots()
    blank = np.zeros(truth.shape)
    rows = [images[..., 0], *[blank] * (len(labels) - 1)]
    _, (down, across) = mosaic(axes, rows, labels, cmap="gray")
    axes.set_facecolor("none")
    for row, masks in enumerate([truth, *picture["masks"].values()], start=1):
        for column, (predicted, expected) in enumerate(zip(masks, truth, strict=True)):
            top, left = row * down, column * across
            height, width = expected.shape
            axes.imshow(
                _overlay(images[column, ..., 0], predicted, expected),
                extent=(left - 0.5, left + width - 0.5, top + height - 0.5, top - 0.5),
                interpolation="nearest",
            )
    axes.set_xlim(-0.5, across * len(images) - 2.5)
    axes.set_ylim(down * len(labels) - 2.5, -0.5)
    meaning = {
        "correct": _TRUE_POSITIVE,
        "missed": _FALSE_NEGATIVE,
        "not the digit": _FALSE_POSITIVE,
    }
    figure.legend(
        handles=[Patch(color=colour, label=word) for word, colour in meaning.items()],
        loc="outside lower center",
        ncols=3,
        frameon=False,
        fontsize=9,
    )


def _overlay(image: np.ndarray, predicted: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return the grey image with coloured true positives, false negatives and false positives."""
    colours = np.repeat(0.75 * image[..., np.newaxis], 3, axis=-1)
    for where, colour in (
        (predicted & expected, _TRUE_POSITIVE),
        (expected & ~predicted, _FALSE_NEGATIVE),
        (predicted & ~expected, _FALSE_POSITIVE),
    ):
        rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        colours[where] = 0.2 * colours[where] + 0.8 * rgb
    return colours
