"""Codes as features of a linear classifier, compared with the components of PCA."""

import time
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_multi.argument_checks import check_positive
from ae_multi.baselines import fit_pca, flat
from ae_multi.data import Dataset
from ae_multi.errors import InputError
from ae_multi.estimators import AutoencoderTransformer
from ae_multi.estimators.fitting import epochs_for
from ae_multi.models import DenoisingAutoencoder
from ae_multi.tasks.result import Measure, Options, Result, about

# The best values of `nox -s choices` on a split of the training images: the code size from which
# training masks pixels, the fraction of masked pixels, and the network and training for it.
_MIN_MASKED_CODES, _MASKED = 16, 0.75
_HIDDEN, _LEARNING_RATE, _BATCH_SIZE, _MIN_EPOCHS = (1000, 500, 250), 2e-3, 128, 10


def features(
    options: Options,
    latent_dim: int = 32,
    masked: float | Literal["auto"] = "auto",
    hidden: Sequence[int] | Literal["auto"] = "auto",
    activation: str = "auto",
) -> Result:
    """Train an autoencoder without labels, and a logistic regression on its codes with labels.

    A small code must describe the content of an image. A large code allows an autoencoder to copy
    pixels, so training sets most pixels of its inputs to 0 and reconstructs the complete images:
    missing pixels can be predicted only from the kind of object (Vincent et al., "Stacked
    denoising autoencoders", JMLR 11, 2010).

    Args:
        options: data and training.
        latent_dim: size of the code.
        masked: fraction of pixels that training sets to 0, below 1, or "auto": 0.75 for at least
            16 codes, otherwise 0.
        hidden: sizes of the layers between pixels and code, or "auto": 1000, 500 and 250 with
            masked pixels, otherwise as in `reduce`.
        activation: Keras name of the activation of these layers, or "auto": "relu" with masked
            pixels, otherwise as in `reduce`.

    Returns:
        A `Result` with the accuracy on test images.
    """
    check_positive(latent_dim=latent_dim)
    if masked == "auto":
        masked = _MASKED if latent_dim >= _MIN_MASKED_CODES else 0
    if not 0 <= masked < 1:
        raise InputError(f"Expected masked to be at least 0 and below 1. Received: {masked!r}.")
    name = "codes" if latent_dim > 1 else "code"
    data = options.load()
    if len(np.unique(data.y_train)) < 2:
        raise InputError("Expected training images of at least 2 classes. Received: one.")
    reducer = _reducer(options, data, latent_dim, masked, hidden, activation)
    begin = time.perf_counter()
    reducer.fit(data.x_train)
    seconds = time.perf_counter() - begin
    linear = fit_pca(data.x_train, latent_dim)
    encoders = {
        "autoencoder": reducer.transform,
        f"PCA-{latent_dim}": lambda x: linear.transform(flat(x)),
    }
    predicted = {name: _classify(encode, data) for name, encode in encoders.items()}
    classes, counts = np.unique(data.y_train, return_counts=True)
    predicted["the commonest class"] = np.full(len(data.y_test), classes[np.argmax(counts)])
    all_classes = np.union1d(classes, data.y_test)
    return Result(
        task="features",
        title=f"A linear classifier on {latent_dim} {name}",
        measures=(Measure("test accuracy", ".4f", higher=True),),
        rows={name: (float(np.mean(y == data.y_test)),) for name, y in predicted.items()},
        data=about(data),
        settings={
            "codes": latent_dim,
            "masked": masked,
            "epochs": reducer.n_iter_,
            "seed": options.seed,
        },
        provenance=reducer.provenance_,
        seconds=seconds,
        picture={
            "classes": all_classes,
            "confusion": confusion_matrix(
                data.y_test, predicted["autoencoder"], labels=all_classes
            ),
        },
    )


def _reducer(
    options: Options,
    data: Dataset,
    latent_dim: int,
    masked: float,
    hidden: Sequence[int] | Literal["auto"],
    activation: str,
) -> AutoencoderTransformer:
    """Return the unfitted transformer, with masking of input pixels or without."""
    if not masked:
        return AutoencoderTransformer(
            latent_dim=latent_dim,
            hidden=hidden,
            activation=activation,
            scale=None,
            **options.training(),
        )
    sizes = _HIDDEN if hidden == "auto" else hidden
    model = DenoisingAutoencoder(
        "masking",
        masked,
        sizes,
        latent_dim,
        data.image_shape,
        seed=options.seed,
        activation="relu" if activation == "auto" else activation,
    )
    epochs = epochs_for("auto", len(data.x_train), _BATCH_SIZE, _MIN_EPOCHS)
    training = {
        "learning_rate": _LEARNING_RATE,
        "batch_size": _BATCH_SIZE,
        **options.training(epochs),
    }
    return AutoencoderTransformer(model, scale=None, **training)


def _classify(encode: Callable[[np.ndarray], np.ndarray], data: Dataset) -> np.ndarray:
    """Predict the classes of test images with a logistic regression on encoded images."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return classifier.fit(encode(data.x_train), data.y_train).predict(encode(data.x_test))
