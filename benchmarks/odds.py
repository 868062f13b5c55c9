"""Eight tables of the ODDS library (S. Rayana, 2016): outliers found without a label.

The protocol of PyOD's benchmark: 6 in 10 rows are learned from, outliers among them and nobody
saying which, and the area under the ROC curve is measured on the others.
"""

from pathlib import Path

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


def measure(folder, seed=0):
    """How well strange rows are told from others, with the detector as it comes.

    Args:
        folder: where ``NAME.mat`` lies for each of `SETS`: X of shape (n, features), and y of
            shape (n, 1), 1 for outliers.
        seed: integer that parts the rows and starts the detector; 0 parts them as the published
            figures have it.

    Returns:
        Dict of set: dict of method: area under the ROC curve. The methods are "autoencoder",
        "autoencoder, MSE" (by that score), "PCA d/4" (the residual of a quarter of the
        components), "kNN-5" (distance to the fifth nearest training row) and "kNN n/10" (mean
        squared distance to the nearest tenth of them, what the detector does with
        reconstructions).

    Raises:
        InputError: a folder without one of the files.
    """
    return {name: _one(Path(folder) / f"{name}.mat", seed) for name in SETS}


def parted(rows, marks, seed=0, **kwargs):
    """Rows to learn from and to test on, and the marks of both, as PyOD's benchmark parts them.

    Args:
        rows: (n, features).
        marks: (n,), of outliers.
        seed: integer; PyOD's is 0.
        **kwargs: more for scikit-learn's `train_test_split`.
    """
    state = np.random.RandomState(seed)
    return train_test_split(rows, marks, test_size=_TESTED, random_state=state, **kwargs)


def _one(path, seed):
    train, test, _, anomalous = parted(*read_mat(path), seed)
    scaler = StandardScaler().fit(train)
    train, test = scaler.transform(train), scaler.transform(test)
    detector = AnomalyDetector(random_state=seed).fit(train)
    plain = AnomalyDetector(criterion="mse", random_state=seed).fit(train)
    restored = reconstruct_with_pca(fit_pca(train, max(train.shape[1] // 4, 1)), test)
    many = max(len(train) // 10, _NEAR)
    distances = NearestNeighbors(n_neighbors=many).fit(train).kneighbors(test)[0]
    scores = {
        "autoencoder": detector.anomaly_score(test),
        "autoencoder, MSE": plain.anomaly_score(test),
        "PCA d/4": np.square(test - restored).mean(axis=1),
        f"kNN-{_NEAR}": distances[:, _NEAR - 1],
        "kNN n/10": np.square(distances).mean(axis=1),
    }
    return {name: float(roc_auc_score(anomalous, found)) for name, found in scores.items()}
