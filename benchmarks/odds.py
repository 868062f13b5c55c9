"""Unsupervised outlier detection on eight tables of the ODDS library (S. Rayana, 2016).

The protocol is that of PyOD's benchmark: 60 % of the rows, including unlabelled outliers, are for
training, and the area under the ROC curve is measured on the others.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ae_multi import AnomalyDetector
from ae_multi.baselines import fit_pca, reconstruct_with_pca
from ae_multi.data.mat import read_mat

SETS = ("cardio", "ionosphere", "letter", "mnist", "pendigits", "pima", "satellite", "vowels")
_TESTED, _NEAR = 0.4, 5


def measure(folder: os.PathLike[str] | str, seed: int = 0) -> dict[str, dict[str, float]]:
    """Measure the detector with its defaults, and baselines, on each table.

    Args:
        folder: folder with ``NAME.mat`` for each of `SETS`: X of shape (n, features), and y of
            shape (n, 1), 1 for outliers.
        seed: integer that fixes the split of the rows and the detector; 0 is the split of the
            published results.

    Returns:
        Dict of table to dict of method to area under the ROC curve. The methods are "autoencoder",
        "autoencoder, MSE" (with that criterion), "PCA d/4" (the residual of a quarter of the
        components), "kNN-5" (distance to the fifth nearest training row) and "kNN n/10" (mean
        squared distance to the nearest tenth of the training rows).

    Raises:
        InputError: a file is missing.
    """
    return {name: _measure_table(Path(folder) / f"{name}.mat", seed) for name in SETS}


def split_rows(
    rows: np.ndarray, marks: np.ndarray, seed: int = 0, **kwargs: Any
) -> list[np.ndarray]:
    """Split rows into training and test rows as PyOD's benchmark does.

    Args:
        rows: array of shape (n, features).
        marks: labels of outliers of shape (n,).
        seed: integer; PyOD's is 0.
        **kwargs: further keywords of scikit-learn's `train_test_split`.

    Returns:
        [training rows, test rows, training marks, test marks].
    """
    state = np.random.RandomState(seed)
    return train_test_split(rows, marks, test_size=_TESTED, random_state=state, **kwargs)


def _measure_table(path, seed):
    train, test, _, anomalous = split_rows(*read_mat(path), seed)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    detector = AnomalyDetector(random_state=seed).fit(train)
    plain = AnomalyDetector(criterion="mse", random_state=seed).fit(train)
    restored = reconstruct_with_pca(fit_pca(train, max(train.shape[1] // 4, 1)), test)
    tenth = max(len(train) // 10, _NEAR)
    distances = NearestNeighbors(n_neighbors=tenth).fit(train).kneighbors(test)[0]
    scores = {
        "autoencoder": detector.anomaly_score(test),
        "autoencoder, MSE": plain.anomaly_score(test),
        "PCA d/4": np.square(test - restored).mean(axis=1),
        f"kNN-{_NEAR}": distances[:, _NEAR - 1],
        "kNN n/10": np.square(distances).mean(axis=1),
    }
    return {name: float(roc_auc_score(anomalous, score)) for name, score in scores.items()}
