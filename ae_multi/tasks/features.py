"""Codes as features: what a linear classifier makes of them, beside PCA's."""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ae_multi.errors import InputError
from ae_multi.estimators import AutoencoderTransformer
from ae_multi.sizes import check_positive
from ae_multi.tasks.floors import flat, pca
from ae_multi.tasks.result import Measure, Result, about


def features(options, codes=32):
    """Train an autoencoder without labels and a logistic regression on its codes with them.

    Args:
        options: `Options`.
        codes: size of the code.

    Returns:
        A `Result`: the share of test images that are put into their class.
    """
    check_positive(codes=codes)
    data = options.load()
    if len(np.unique(data.y_train)) < 2:
        raise InputError("Expected training images of at least 2 classes. Received: one.")
    reducer = AutoencoderTransformer(latent_dim=codes, scale=None, **options.training())
    begin = time.perf_counter()
    reducer.fit(data.x_train)
    seconds = time.perf_counter() - begin
    linear = pca(data.x_train, codes)
    encoders = {
        "autoencoder": reducer.transform,
        f"PCA-{codes}": lambda x: linear.transform(flat(x)),
    }
    predicted = {name: _probe(encode, data) for name, encode in encoders.items()}
    classes, counts = np.unique(data.y_train, return_counts=True)
    predicted["the commonest class"] = np.full(len(data.y_test), classes[np.argmax(counts)])
    known = np.union1d(classes, data.y_test)
    return Result(
        task="features",
        title=f"A linear classifier on {codes} {'codes' if codes > 1 else 'code'}",
        measures=(Measure("test accuracy", ".4f", higher=True),),
        rows={name: (float(np.mean(y == data.y_test)),) for name, y in predicted.items()},
        data=about(data),
        settings={"codes": codes, "epochs": reducer.n_iter_, "seed": options.seed},
        provenance=reducer.provenance_,
        seconds=seconds,
        picture={
            "classes": known,
            "confusion": confusion_matrix(data.y_test, predicted["autoencoder"], labels=known),
        },
    )


def _probe(encode, data):
    """The classes that a logistic regression on encoded training images gives the test images."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return probe.fit(encode(data.x_train), data.y_train).predict(encode(data.x_test))
