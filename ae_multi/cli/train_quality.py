"""Quality of a model that ``ae-multi train`` has trained, beside baselines."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ae_multi.compare.config import TrainingConfig
from ae_multi.data import Dataset


def task_of(
    config: TrainingConfig, data: Dataset
) -> tuple[np.ndarray, np.ndarray | None, Callable[[Any], tuple[str, str]]]:
    """Return the training data of a model and the function that tests it.

    Returns:
        (inputs, targets or None, test). ``test(model)`` returns (quality, warning), two strings;
        the warning is empty if the model is better than the baselines.
    """
    if config.model == "segmentation":
        from ae_multi.data.clutter import clutter

        x, masks = clutter(data.x_train, config.seed, "train")
        return x, masks, lambda model: _segmentation_quality(model, x, masks, data, config.seed)
    if config.model == "restoration":
        return data.x_train, None, lambda model: _restoration_quality(model, data, config.seed)
    return data.x_train, None, lambda model: _reconstruction_quality(model, data)


def _reconstruction_quality(model, data):
    """Compare reconstructions with PCA and the mean image; return (quality, warning)."""
    from ae_multi.baselines import mean_baseline, pca_baselines
    from ae_multi.metrics import psnr, squared_errors

    errors = squared_errors(data.x_test, model.reconstruct(data.x_test))
    size = int(np.prod(model.encode(data.x_test[:1]).shape[1:]))
    linear, mean = pca_baselines(data, [size])[size], mean_baseline(data)
    warning = ""
    if not np.mean(errors) < mean:
        warning = "No better than predicting the mean image."
    elif not np.mean(errors) < linear:
        warning = "Worse than PCA, a linear model."
    return (
        f"test MSE {np.mean(errors):.5f}, PSNR {psnr(errors):.2f} dB; PCA with {size} components: "
        f"{linear:.5f}; the mean image: {mean:.5f}",
        warning,
    )


def _restoration_quality(model, data, seed):
    """Compare restored images with the noisy images; return (quality, warning)."""
    from ae_multi.metrics import psnr, squared_errors
    from ae_multi.tasks.denoise import with_noise

    noisy = with_noise(data.x_test, model.noise, seed, "test")
    errors = squared_errors(data.x_test, model.restore(noisy))
    before = squared_errors(data.x_test, noisy)
    is_worse = not np.mean(errors) < np.mean(before)
    return (
        f"test MSE {np.mean(errors):.5f}, PSNR {psnr(errors):.2f} dB, of images with noise of "
        f"standard deviation {model.noise:g}; the noisy images: {np.mean(before):.5f}, "
        f"{psnr(before):.2f} dB",
        "Worse than the noisy images." if is_worse else "",
    )


def _segmentation_quality(model, x_train, m_train, data, seed):
    """Compare masks of digits with the best brightness threshold; return (quality, warning)."""
    from ae_multi.baselines import best_threshold
    from ae_multi.data.clutter import clutter
    from ae_multi.metrics import iou

    x_test, m_test = clutter(data.x_test, seed, "test")
    ours = iou(model.segment(x_test) > 0, m_test)
    baseline = iou(x_test[..., 0] > best_threshold(x_train[..., 0], m_train), m_test)
    return (
        f"test IoU {ours:.4f} of digits on clutter; the best threshold: {baseline:.4f}",
        "" if ours > baseline else "Worse than a threshold on brightness.",
    )
