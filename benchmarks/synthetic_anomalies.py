"""Synthetic anomalies: ADBench's four types, and sensors whose correlation is broken.

The four types are those of Han et al., "ADBench: Anomaly Detection Benchmark", NeurIPS 2022,
section 3.2: their normal rows are drawn from a model of a real table's normal rows, their anomalies
from a changed model. Independent draws of each feature serve for the type "dependency", and the
table's own normal rows in place of a vine copula.
"""

from typing import Literal

import numpy as np
from scipy.stats import gaussian_kde
from sklearn.mixture import GaussianMixture

TYPES = ("local", "global", "dependency", "cluster")
_COVARIANCE_FACTOR = _MEAN_FACTOR = 5.0
_RANGE_FACTOR = 1.1
_MAX_COMPONENTS = 9
# Rows that a density is fitted to; more change it little and take long.
_MAX_FITTED_ROWS = 3000
_SENSORS, _FACTORS, _HIDDEN, _NOISE = 26, 3, 12, 0.05


def make_anomalies(
    normal: np.ndarray,
    kind: Literal["local", "global", "dependency", "cluster"],
    anomalies: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of which ``anomalies`` are anomalous in the way of ``kind``.

    Args:
        normal: normal rows of a table, shape (n, features).
        kind: "local": a Gaussian mixture whose covariances are 5 times as large; "global": uniform
            over 1.1 times the range of each feature; "dependency": independent draws of each
            feature from its kernel density; "cluster": a Gaussian mixture whose means are 5 times
            as large.
        anomalies: number of anomalous rows.
        seed: seed of the draws.

    Returns:
        (rows, labels), float64 of shape (n + anomalies, features) and int64, 1 for anomalies.
    """
    rng = np.random.default_rng([seed, TYPES.index(kind)])
    fitted = normal
    if len(normal) > _MAX_FITTED_ROWS:
        fitted = normal[np.sort(rng.choice(len(normal), _MAX_FITTED_ROWS, replace=False))]
    if kind == "dependency":
        strange = _independent(fitted, anomalies, rng)
    else:
        mixture = _mixture(fitted, int(rng.integers(2**31)))
        normal = mixture.sample(len(normal))[0]
        if kind == "global":
            low, high = normal.min(axis=0), normal.max(axis=0)
            strange = rng.uniform(
                _RANGE_FACTOR * low, _RANGE_FACTOR * high, (anomalies, normal.shape[1])
            )
        else:
            if kind == "local":
                mixture.covariances_ = mixture.covariances_ * _COVARIANCE_FACTOR
            else:
                mixture.means_ = mixture.means_ * _MEAN_FACTOR
            strange = mixture.sample(anomalies)[0]
    labels = np.repeat([0, 1], [len(normal), anomalies])
    return np.concatenate([normal, strange]), labels


def make_sensors(
    rows: int, broken: int, share: float = 0.01, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return readings of 26 sensors on a nonlinear manifold of 3 factors.

    A sensor is a smooth nonlinear function of all factors, plus noise. In an anomalous row,
    ``broken`` sensors take the values that they have in another row: each value alone is normal,
    only the relation to the other sensors is not.

    Args:
        rows: number of rows.
        broken: number of sensors that leave the manifold in an anomalous row. With one sensor, it
            is another one in each row; several are the same in all rows.
        share: share of anomalous rows.
        seed: seed of the sensors and rows.

    Returns:
        (rows, labels), float64 (rows, 26) and int64, 1 for anomalies.
    """
    rng = np.random.default_rng([seed, broken])
    factors = rng.normal(size=(rows, _FACTORS))
    hidden = np.tanh(factors @ rng.normal(0, 0.3, (_FACTORS, _HIDDEN)) + rng.normal(size=_HIDDEN))
    readings = hidden @ rng.normal(size=(_HIDDEN, _SENSORS)) / np.sqrt(_HIDDEN)
    readings /= readings.std(axis=0)
    readings += rng.normal(0, _NOISE, readings.shape)
    labels = np.zeros(rows, int)
    strange = rng.choice(rows, max(round(share * rows), 1), replace=False)
    labels[strange] = 1
    others = readings[rng.integers(rows, size=len(strange))]
    if broken == 1:
        sensors = rng.integers(_SENSORS, size=(len(strange), 1))
    else:
        chosen = rng.choice(_SENSORS, broken, replace=False)
        sensors = np.repeat(chosen[np.newaxis], len(strange), axis=0)
    readings[strange[:, np.newaxis], sensors] = np.take_along_axis(others, sensors, axis=1)
    return readings, labels


def _mixture(rows: np.ndarray, seed: int) -> GaussianMixture:
    """Return the Gaussian mixture of up to nine components with the lowest BIC."""
    candidates = (
        GaussianMixture(count, random_state=seed, reg_covar=1e-6).fit(rows)
        for count in range(1, _MAX_COMPONENTS + 1)
    )
    return min(candidates, key=lambda each: each.bic(rows))


def _independent(rows: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return ``count`` rows whose features are drawn one by one; a constant stays constant."""
    columns = [
        gaussian_kde(column).resample(count, seed=rng)[0]
        if np.ptp(column) > 0
        else np.full(count, column[0])
        for column in rows.T
    ]
    return np.stack(columns, axis=1)
