"""Figure of a comparison, drawn without a display and written atomically."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from ae_multi.io.atomic import atomic_write

if TYPE_CHECKING:
    from ae_multi.compare import Comparison

# The colours of Okabe & Ito are distinct in grey and for colour-blind readers. The line styles
# differ, because curves of backends that agree overlap.
STYLES: dict[str, dict[str, Any]] = {
    "torch": {"color": "#D55E00", "linestyle": "-", "linewidth": 4.0, "alpha": 0.5},
    "tensorflow": {"color": "#009E73", "linestyle": "--", "linewidth": 2.2},
    "jax": {"color": "#0072B2", "linestyle": ":", "linewidth": 2.2},
}


def draw_comparison(comparison: Comparison, path: os.PathLike[str] | str) -> None:
    """Draw test images, the reconstructions of each backend and the loss curves.

    Args:
        comparison: an `ae_multi.compare.Comparison`.
        path: file of the figure; the suffix selects the format.
    """
    models = list(comparison.agreement)
    backends = list(dict.fromkeys(backend for _, backend in comparison.pictures))
    height = 0.62 * (1 + len(backends)) + 0.75
    figure = Figure(figsize=(12.5, height * len(models) + 0.4), layout="constrained")
    blocks = figure.subfigures(len(models), 1, squeeze=False)[:, 0]
    for block, model in zip(blocks, models, strict=True):
        results = [r for r in comparison.results if r["model"] == model]
        verdict = comparison.agreement[model]["verdict"]
        block.suptitle(
            f"{results[0]['class']}, {results[0]['code_size']} codes, {comparison.data['name']}: "
            + {"agree": "the backends agree", "differ": "the backends differ"}.get(
                verdict, verdict
            ),
            fontsize=11,
            fontweight="bold",
        )
        left, right = block.subplots(1, 2, width_ratios=[2.1, 1])
        _draw_images(left, comparison.pictures, model, backends, results)
        _draw_losses(right, results)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_images(axes, pictures, model, backends, results):
    """Draw a mosaic: a row of test images, then a row of reconstructions for each backend."""
    rows = [pictures[model, backends[0]]["originals"]]
    rows += [pictures[model, backend]["reconstructions"] for backend in backends]
    images = np.stack([_as_pictures(row) for row in rows])  # (rows, columns, height, width)
    count, columns, height, width = images.shape
    gap = 2
    mosaic = np.full((count * (height + gap), columns * (width + gap)), np.nan)
    for row in range(count):
        for column in range(columns):
            top, left = row * (height + gap), column * (width + gap)
            mosaic[top : top + height, left : left + width] = images[row, column]
    axes.imshow(mosaic, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    mses = {r["backend"]: r["test_mse"] for r in results}
    labels = ["test images", *(f"{name}\nMSE {mses[name]:.5f}" for name in backends)]
    axes.set_yticks([row * (height + gap) + height / 2 for row in range(count)], labels, fontsize=9)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _as_pictures(images):
    """Return images as (n, height, width), averaged over the channels if there is such an axis."""
    return images.mean(axis=-1) if images.ndim == 4 else images


def _draw_losses(axes, results):
    for result in results:
        losses = result["epoch_losses"]
        axes.plot(
            range(1, len(losses) + 1),
            losses,
            label=result["backend"],
            marker="o" if len(losses) == 1 else None,
            **STYLES[result["backend"]],
        )
    axes.axhline(results[0]["pca_mse"], color="0.45", linewidth=1)
    axes.annotate(
        f"PCA, {results[0]['code_size']} components (test)",
        (1, results[0]["pca_mse"]),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
        color="0.35",
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.yaxis.set_minor_formatter("{x:.3g}")
    axes.tick_params(axis="y", which="both", labelsize=8)
    axes.set_xlabel("epoch")
    axes.set_ylabel("training loss (MSE)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
