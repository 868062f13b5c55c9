"""Denoising of images, compared with the optimal linear filter and PCA."""

import math
import time

import numpy as np

from ae_multi._keras import keras
from ae_multi.baselines import LinearFilter, fit_pca, reconstruct_with_pca
from ae_multi.estimators import Denoiser
from ae_multi.estimators.parameters import check_number
from ae_multi.metrics import psnr, squared_errors
from ae_multi.models.losses import ssim
from ae_multi.randomness import streams
from ae_multi.tasks.result import Measure, Options, Result, about

_COMPONENTS = 64
_SHOWN = 10


def denoise(options: Options, noise: float = 0.4) -> Result:
    """Add Gaussian noise to images and remove it.

    Args:
        options: data and training.
        noise: standard deviation of the noise; noisy values are clipped to [0, 1].

    Returns:
        A `Result` with PSNR and SSIM, means over the test images.
    """
    check_number("noise", noise, 0, np.inf)
    data = options.load()
    noisy = with_noise(data.x_test, noise, options.seed, "test")
    denoiser = Denoiser(noise=noise, scale=None, **options.training())
    begin = time.perf_counter()
    denoiser.fit(data.x_train)
    seconds = time.perf_counter() - begin
    restored = {"denoising autoencoder": denoiser.transform(noisy)}
    noisy_train = with_noise(data.x_train, noise, options.seed, "train")
    restored["linear MMSE filter"] = LinearFilter(noisy_train, data.x_train)(noisy)
    if min(len(data.x_train), math.prod(data.image_shape)) > _COMPONENTS:
        projected = reconstruct_with_pca(fit_pca(data.x_train, _COMPONENTS), noisy)
        restored[f"PCA-{_COMPONENTS}"] = np.clip(projected, 0, 1)
    restored["the noisy image"] = noisy
    return Result(
        task="denoise",
        title=f"Removal of Gaussian noise of σ = {noise:g}",
        measures=(
            Measure("PSNR", ".2f", higher=True, unit="dB"),
            Measure("SSIM", ".4f", higher=True),
        ),
        rows={name: _quality(data.x_test, images) for name, images in restored.items()},
        data=about(data),
        settings={"noise": noise, "epochs": denoiser.n_iter_, "seed": options.seed},
        provenance=denoiser.provenance_,
        seconds=seconds,
        picture={
            "clean": data.x_test[:_SHOWN],
            "restored": {name: images[:_SHOWN] for name, images in restored.items()},
        },
    )


def with_noise(images: np.ndarray, noise: float, seed: int, purpose: str) -> np.ndarray:
    """Return images with Gaussian noise, clipped to [0, 1]; a pure function of its arguments."""
    standard_noise = streams.normal(seed, f"denoise/{purpose}", images.shape)
    return np.clip(images + noise * standard_noise, 0, 1).astype(np.float32)


def _quality(clean: np.ndarray, images: np.ndarray) -> tuple[float, float]:
    """Return (PSNR, SSIM), each the mean over images."""
    ssims = []
    for begin in range(0, len(clean), 1024):
        batch = slice(begin, begin + 1024)
        ssims.append(keras.ops.convert_to_numpy(ssim(clean[batch], images[batch])))
    return psnr(squared_errors(clean, images)), float(np.concatenate(ssims).mean(dtype=float))
