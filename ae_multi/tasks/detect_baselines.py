"""Scores of standard anomaly detectors, which are fitted to the rows that they score."""

from __future__ import annotations

import numpy as np

from ae_multi.baselines import fit_pca, flat, reconstruct_with_pca

# Rows to which PCA and the nearest neighbours are fitted.
_MAX_FITTED, _MAX_REMEMBERED, _NEIGHBORS = 20_000, 5000, 5
# With more features PCA uses a randomized solver: the exact one computes the covariance matrix.
_MAX_EXACT_FEATURES = 2048


def scores(samples: np.ndarray, components: int) -> dict[str, np.ndarray]:
    """Return anomaly scores of PCA, an isolation forest and nearest neighbours.

    They are fitted without labels to ``samples``, of more than 20,000 to evenly chosen ones.

    Args:
        samples: rows, whose columns are standardized, or images, (n, ...).
        components: number of principal components.

    Returns:
        Dict of name to scores (n,): the mean squared residual of PCA, the isolation forest of
        scikit-learn with its defaults, and the mean distance to the 5 nearest of up to 5,000 rows.
        Empty for fewer than 20 samples, and for equal ones.
    """
    from sklearn.ensemble import IsolationForest
    from sklearn.preprocessing import StandardScaler

    rows = flat(samples).astype(np.float64)
    if len(rows) < 20 or np.all(rows == rows[0]):
        return {}
    if samples.ndim == 2:
        rows = StandardScaler().fit_transform(rows)
    fitted = rows[_evenly(len(rows), _MAX_FITTED)]
    solver = "covariance_eigh" if rows.shape[1] <= _MAX_EXACT_FEATURES else "randomized"
    pca = fit_pca(fitted, max(1, min(components, rows.shape[1] - 1)), solver)
    residuals = rows - reconstruct_with_pca(pca, rows)
    forest = IsolationForest(random_state=0).fit(fitted)
    return {
        f"PCA-{pca.n_components_}": np.mean(residuals**2, axis=1),
        "isolation forest": -forest.score_samples(rows),
        f"{_NEIGHBORS} nearest neighbours": _distances(rows),
    }


def _distances(rows: np.ndarray) -> np.ndarray:
    """Return the mean distance of each row to its nearest remembered rows, itself left out."""
    from sklearn.neighbors import NearestNeighbors

    remembered = _evenly(len(rows), _MAX_REMEMBERED)
    search = NearestNeighbors(n_neighbors=_NEIGHBORS + 1).fit(rows[remembered])
    distances = search.kneighbors(rows)[0]
    means = distances[:, :-1].mean(axis=1)
    means[remembered] = distances[remembered, 1:].mean(axis=1)
    return means


def _evenly(count: int, most: int) -> np.ndarray:
    """Return indices of at most ``most`` of ``count`` rows, evenly spaced."""
    return np.arange(0, count, max(1, -(-count // most)))
