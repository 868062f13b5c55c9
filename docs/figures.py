"""Draw the README's picture of an autoencoder, from a trained one: ``nox -s figures``.

The digits are scikit-learn's, which may be shown anywhere.
"""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon

import ae_multi
from ae_multi.compare import TrainingConfig
from ae_multi.compare.train import build, train
from ae_multi.io.atomic import atomic_write
from ae_multi.metrics import squared_errors

HERE = Path(__file__).parent
ENCODER, CODE, DECODER = "#0072B2", "#D55E00", "#009E73"


def main():
    """Train the deep model on the digits and draw what it does to one of them."""
    data = ae_multi.load_data("digits")
    model = build(TrainingConfig("deep", epochs=300), data.image_shape)
    train(model, data.x_train, TrainingConfig("deep", epochs=300), verbose=0)
    errors = squared_errors(data.x_test, model.reconstruct(data.x_test))
    threes = np.flatnonzero(data.y_test == 3)
    chosen = threes[np.argsort(errors[threes])[len(threes) // 4]]
    image = data.x_test[chosen : chosen + 1]
    draw(image[0, ..., 0], model.encode(image)[0], model.reconstruct(image)[0, ..., 0])


def draw(image, code, reconstruction):
    """Input, encoder, code, decoder and reconstruction, from left to right."""
    figure = Figure(figsize=(11, 3.3))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 110), ylim=(0, 33))
    axes.axis("off")
    show(axes, image, 2)
    show(axes, reconstruction, 90)
    funnel(axes, 24, 46, 9.5, 3.2, ENCODER, "encoder", "784 → 128 → 64 → 36 → 18")
    funnel(axes, 64, 86, 3.2, 9.5, DECODER, "decoder", "18 → 36 → 64 → 128 → 784")
    bars(axes, code)
    label(axes, 11, "input x", "784 pixels")
    label(axes, 55, "code z", f"{len(code)} numbers (the bottleneck)")
    error = np.mean((image - reconstruction) ** 2)
    label(axes, 99, "reconstruction x̂", f"error: mean (x - x̂)² = {error:.4f}")
    for begin, end in ((20.5, 23.5), (46.5, 49.5), (60.5, 63.5), (86.5, 89.5)):
        axes.add_patch(
            FancyArrowPatch(
                (begin, 18), (end, 18), arrowstyle="-|>", mutation_scale=12, color="0.3"
            )
        )
    with atomic_write(HERE / "autoencoder.png") as path:
        figure.savefig(path, dpi=130)


def show(axes, image, left):
    """One image, 18 units wide."""
    axes.imshow(
        image, cmap="gray_r", vmin=0, vmax=1, extent=(left, left + 18, 9, 27), aspect="auto"
    )
    axes.add_patch(
        Polygon(
            [(left, 9), (left + 18, 9), (left + 18, 27), (left, 27)], fill=False, edgecolor="0.6"
        )
    )


def funnel(axes, left, right, before, after, color, name, sizes):
    """A part of the network, narrowing or widening."""
    corners = [(left, 18 - before), (left, 18 + before), (right, 18 + after), (right, 18 - after)]
    axes.add_patch(Polygon(corners, facecolor=color, alpha=0.18, edgecolor=color, linewidth=1.5))
    middle = (left + right) / 2
    axes.text(middle, 18, name, ha="center", va="center", fontsize=13, color=color, weight="bold")
    axes.text(middle, 3.6, sizes, ha="center", va="center", fontsize=9, color="0.35")


def bars(axes, code):
    """The numbers of the code, as bars to the right and left of a middle line."""
    largest = abs(code).max()
    height = 16 / len(code)
    for place, value in enumerate(code):
        top = 26 - place * height
        width = 4.2 * value / largest
        axes.fill_between([55, 55 + width], top - 0.8 * height, top, color=CODE, linewidth=0)
    axes.plot([55, 55], [26 - 16, 26.2], color="0.4", linewidth=0.8)


def label(axes, x, name, detail):
    """A name in bold above a detail."""
    axes.text(x, 6.2, name, ha="center", va="center", fontsize=11, weight="bold")
    axes.text(x, 3.6, detail, ha="center", va="center", fontsize=9, color="0.35")


if __name__ == "__main__":
    main()
