"""Codes as features: what a linear classifier makes of them, beside PCA's."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_multi.baselines import fit_pca, flat
from ae_multi.errors import InputError
from ae_multi.estimators import AutoencoderTransformer
from ae_multi.estimators.fitting import epochs_for
from ae_multi.models import DenoisingAutoencoder
from ae_multi.tasks.result import Measure, Result, about
from ae_multi.validation import check_positive

# What `nox -s choices` finds best on a part of the training images: for codes of so many numbers,
# training that hides so many pixels, and a network and a rate for it.
_ROOMY, _MASKED = 16, 0.75
_HIDDEN, _RATE, _BATCH, _FEWEST_EPOCHS = (1000, 500, 250), 2e-3, 128, 10


def features(options, latent_dim=32, masked="auto", hidden="auto", activation="auto"):
    """Train an autoencoder without labels and a logistic regression on its codes with them.

    Few codes have to be about what an image shows. Where there is room for more, an autoencoder
    spends it on which pixels it has, so this one sees images most of whose pixels are set to 0 and
    has to give back all of them: what the others can be guessed from is the kind of thing that is
    drawn (Vincent et al., "Stacked denoising autoencoders", JMLR 11, 2010).

    Args:
        options: `Options`.
        latent_dim: size of the code.
        masked: the share of pixels that training sets to 0, below 1, or "auto": three quarters
            from 16 codes on, and none of fewer.
        hidden: sizes of the layers between pixels and code, or "auto": 1000, 500 and 250 where
            pixels are masked, and as in `reduce` where none are.
        activation: name of those layers' activation, or "auto": "relu" where pixels are masked,
            and as in `reduce` where none are.

    Returns:
        A `Result`: the share of test images that are put into their class.
    """
    check_positive(latent_dim=latent_dim)
    if masked == "auto":
        masked = _MASKED if latent_dim >= _ROOMY else 0
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
    predicted = {name: _probe(encode, data) for name, encode in encoders.items()}
    classes, counts = np.unique(data.y_train, return_counts=True)
    predicted["the commonest class"] = np.full(len(data.y_test), classes[np.argmax(counts)])
    known = np.union1d(classes, data.y_test)
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
            "classes": known,
            "confusion": confusion_matrix(data.y_test, predicted["autoencoder"], labels=known),
        },
    )


def _reducer(options, data, latent_dim, masked, hidden, activation):
    """What learns codes of images: from images with masked pixels, or from whole ones."""
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
    epochs = epochs_for("auto", len(data.x_train), _BATCH, _FEWEST_EPOCHS)
    training = {"learning_rate": _RATE, "batch_size": _BATCH, **options.training(epochs)}
    return AutoencoderTransformer(model, scale=None, **training)


def _probe(encode, data):
    """The classes that a logistic regression on encoded training images gives the test images."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return probe.fit(encode(data.x_train), data.y_train).predict(encode(data.x_test))
