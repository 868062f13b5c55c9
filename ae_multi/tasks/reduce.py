"""Dimensionality reduction of images: reconstruction error, compared with PCA."""

import time
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ae_multi.argument_checks import check_positive
from ae_multi.baselines import fit_pca, mean_baseline, pca_baselines
from ae_multi.data import Dataset
from ae_multi.estimators import AutoencoderTransformer
from ae_multi.metrics import squared_errors
from ae_multi.tasks.result import Measure, Options, Result, about

_WALKS, _STEPS = 5, 9


def reduce(
    options: Options, latent_dim: int = 9, hidden: Sequence[int] | Literal["auto"] = "auto"
) -> Result:
    """Compress images to ``latent_dim`` numbers and compare with PCA of as many components.

    Args:
        options: data and training.
        latent_dim: size of the code.
        hidden: sizes of the layers between pixels and code, or "auto".

    Returns:
        A `Result` with mean squared errors on the test images.
    """
    check_positive(latent_dim=latent_dim)
    name = "codes" if latent_dim > 1 else "code"
    data = options.load()
    reducer = AutoencoderTransformer(
        latent_dim=latent_dim, hidden=hidden, scale=None, **options.training()
    )
    begin = time.perf_counter()
    reducer.fit(data.x_train)
    seconds = time.perf_counter() - begin
    errors = squared_errors(data.x_test, reducer.reconstruct(data.x_test))
    rows = {
        "autoencoder": (float(np.mean(errors)),),
        f"PCA-{latent_dim}": (pca_baselines(data, [latent_dim])[latent_dim],),
        "the mean image": (mean_baseline(data),),
    }
    return Result(
        task="reduce",
        title=f"{np.prod(data.image_shape)} pixels as {latent_dim} {name}",
        measures=(Measure("test MSE", ".5f", higher=False),),
        rows=rows,
        data=about(data),
        settings={"codes": latent_dim, "epochs": reducer.n_iter_, "seed": options.seed},
        provenance=reducer.provenance_,
        seconds=seconds,
        picture=_picture(reducer, data),
    )


def _picture(reducer: AutoencoderTransformer, data: Dataset) -> dict[str, Any]:
    codes = reducer.transform(data.x_test)
    points, names = codes, ("code 1", "code 2")
    if codes.shape[1] > 2:
        points = fit_pca(codes, 2).transform(codes)
        names = ("first principal component of the codes", "second")
    pairs = _pairs(data.y_test)
    steps = np.linspace(0, 1, _STEPS)[:, np.newaxis]
    walks = [reducer.inverse_transform(codes[a] + steps * (codes[b] - codes[a])) for a, b in pairs]
    return {
        "points": points,
        "axes": names,
        "labels": data.y_test,
        "walks": np.stack(walks),
        "ends": [(data.x_test[a], data.x_test[b]) for a, b in pairs],
    }


def _pairs(labels: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of test images to interpolate between, each the first image of its class."""
    first = [int(np.flatnonzero(labels == each)[0]) for each in np.unique(labels)]
    first = first if len(first) > 1 else [0, len(labels) - 1]
    return [(first[i], first[i + 1]) for i in range(0, len(first) - 1, 2)][:_WALKS]
