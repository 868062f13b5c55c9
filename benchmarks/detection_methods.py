"""Methods of `benchmarks.detection`: the detector and baselines, all with their defaults.

A baseline is a function of (training rows, test rows, seed) that returns anomaly scores of the test
rows. Rows are standardised.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec

import numpy as np

OURS = "ae_multi"
CRITERIA = {OURS: "auto", "ae_multi-mse": "mse", "ae_multi-manifold": "manifold"}
_NEIGHBORS = 5


def detector_scores(
    train: np.ndarray, test: np.ndarray, seed: int, methods: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the scores of the detector with each of `CRITERIA` that is in ``methods``.

    Training does not depend on the criterion, so the network is trained once.
    """
    from ae_multi import AnomalyDetector

    detector, scores = AnomalyDetector(random_state=seed).fit(train), {}
    for name in methods:
        detector.set_params(criterion=CRITERIA[name])._finish([(train, None)])
        scores[name] = detector.anomaly_score(test)
    return scores


def _pca(train, test, seed):
    """Squared residual of a quarter of the components."""
    from ae_multi.baselines import fit_pca, reconstruct_with_pca

    restored = reconstruct_with_pca(fit_pca(train, max(train.shape[1] // 4, 1)), test)
    return np.square(test - restored).mean(axis=1)


def _nearest(train, test, seed):
    """Distance to the fifth nearest training row."""
    from sklearn.neighbors import NearestNeighbors

    return NearestNeighbors(n_neighbors=_NEIGHBORS).fit(train).kneighbors(test)[0][:, -1]


def _forest(train, test, seed):
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def _local_outlier_factor(train, test, seed):
    from sklearn.neighbors import LocalOutlierFactor

    neighbors = min(20, len(train) - 1)
    return -LocalOutlierFactor(neighbors, novelty=True).fit(train).score_samples(test)


def _ecod(train, test, seed):
    from pyod.models.ecod import ECOD

    return ECOD().fit(train).decision_function(test)


def _copod(train, test, seed):
    from pyod.models.copod import COPOD

    return COPOD().fit(train).decision_function(test)


def _pyod_autoencoder(train, test, seed):
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=seed, verbose=0).fit(train).decision_function(test)


def _deep_svdd(train, test, seed):
    from pyod.models.deep_svdd import DeepSVDD

    detector = DeepSVDD(n_features=train.shape[1], random_state=seed, verbose=0)
    return detector.fit(train).decision_function(test)


BASELINES: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "PCA": _pca,
    "kNN": _nearest,
    "isolation-forest": _forest,
    "LOF": _local_outlier_factor,
    "ECOD": _ecod,
    "COPOD": _copod,
    "PyOD-AutoEncoder": _pyod_autoencoder,
    "PyOD-DeepSVDD": _deep_svdd,
}
# Packages that a method needs beside those of this package.
_NEEDED = {
    "ECOD": ("pyod",),
    "COPOD": ("pyod",),
    "PyOD-AutoEncoder": ("pyod", "torch"),
    "PyOD-DeepSVDD": ("pyod", "torch"),
}
PEERS = tuple(_NEEDED)
METHODS = (*CRITERIA, *BASELINES)


def available(method: str) -> bool:
    """Return whether the packages that a method needs are installed."""
    return all(find_spec(package) for package in _NEEDED.get(method, ()))
