"""Fewer numbers for each image: how much of it a short code keeps."""

import time

import numpy as np

from ae_multi.baselines import fit_pca, mean_baseline, pca_baselines
from ae_multi.estimators import AutoencoderTransformer
from ae_multi.metrics import squared_errors
from ae_multi.tasks.result import Measure, Result, about
from ae_multi.validation import check_positive

_WALKS, _STEPS = 5, 9


def reduce(options, latent_dim=9, hidden="auto"):
    """Squeeze images through ``latent_dim`` numbers, as PCA does with as many components.

    Args:
        options: `Options`.
        latent_dim: size of the code.
        hidden: sizes of the layers between pixels and code, or "auto".

    Returns:
        A `Result`, of mean squared errors on the test images.
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


def _picture(reducer, data):
    codes = reducer.transform(data.x_test)
    flat_codes, names = codes, ("code 1", "code 2")
    if codes.shape[1] > 2:
        flat_codes = fit_pca(codes, 2).transform(codes)
        names = ("first principal component of the codes", "second")
    pairs = _pairs(data.y_test)
    share = np.linspace(0, 1, _STEPS)[:, np.newaxis]
    walks = [reducer.inverse_transform(codes[a] + share * (codes[b] - codes[a])) for a, b in pairs]
    return {
        "points": flat_codes,
        "axes": names,
        "labels": data.y_test,
        "walks": np.stack(walks),
        "ends": [(data.x_test[a], data.x_test[b]) for a, b in pairs],
    }


def _pairs(labels):
    """Pairs of test images to walk between: the first of each class, and the next class's."""
    first = [int(np.flatnonzero(labels == each)[0]) for each in np.unique(labels)]
    first = first if len(first) > 1 else [0, len(labels) - 1]
    return [(first[i], first[i + 1]) for i in range(0, len(first) - 1, 2)][:_WALKS]
