"""What the pictures have in common."""

import numpy as np

# Distinct in grey and to the colour-blind (Okabe & Ito): ours, and the floors in turn.
OURS, FLOORS = "#0072B2", ("#D55E00", "0.45", "0.7")


def heading(figure, result):
    """The task's title over the whole figure, with the data below it."""
    title = f"{literal(result.title)} ({literal(result.data['name'])})"
    figure.suptitle(title, fontsize=12, fontweight="bold")


def literal(text):
    """``text`` for Matplotlib, to which dollar signs would mean a formula."""
    return text.replace("$", r"\$")


def mosaic(axes, rows, labels, gap=2, **colours):
    """Images in rows, a label beside each row.

    Args:
        axes: where to draw.
        rows: list of arrays (n, height, width) or (n, height, width, channels), whose channels
            are averaged.
        labels: a string for each row.
        gap: pixels between images.
        colours: keywords of ``imshow``; by default dark on white, from 0 to 1.

    Returns:
        What ``imshow`` returns, and the sheet's pitch (down, across) from image to image.
    """
    rows = [row.mean(axis=-1) if row.ndim == 4 else row for row in rows]
    images = np.stack(rows).astype(float)
    count, columns, height, width = images.shape
    down, across = height + gap, width + gap
    sheet = np.full((count * down - gap, columns * across - gap), np.nan)
    for row in range(count):
        for column in range(columns):
            sheet[row * down :, column * across :][:height, :width] = images[row, column]
    shown = axes.imshow(
        sheet, **{"cmap": "gray_r", "vmin": 0, "vmax": 1, "interpolation": "nearest", **colours}
    )
    axes.set_yticks([row * down + height / 2 for row in range(count)], labels, fontsize=9)
    bare(axes)
    return shown, (down, across)


def bare(axes):
    """No ticks along the bottom, no frame."""
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def open_frame(axes):
    """A frame of two sides."""
    axes.spines[["top", "right"]].set_visible(False)


def values_of(result, method):
    """A method's numbers as a label's second line: "PSNR 18.20 dB, SSIM 0.8100"."""
    return ", ".join(
        f"{measure.name} {measure.text(value)}"
        for measure, value in zip(result.measures, result.rows[method], strict=True)
    )
