"""Figure of ``denoise``: noisy, denoised and clean images, one row per method."""

from matplotlib.figure import Figure

from ae_multi.tasks.plotting import heading, mosaic, values_of
from ae_multi.tasks.result import Result


def draw(result: Result, figure: Figure) -> None:
    """Draw the images of a `Result` of ``denoise``."""
    restored = result.picture["restored"]
    # Top to bottom: noisy images, baselines, the estimator, clean images.
    methods = list(restored)[::-1]
    rows = [*(restored[method] for method in methods), result.picture["clean"]]
    labels = [f"{method}\n{values_of(result, method).replace(', ', chr(10))}" for method in methods]
    height, width = rows[0].shape[1:3]
    inches = 0.95
    figure.set_size_inches(
        2.2 + inches * len(rows[0]) * width / max(height, width),
        0.6 + inches * len(rows) * height / max(height, width),
    )
    heading(figure, result)
    mosaic(figure.subplots(), rows, [*labels, "the clean image"])
