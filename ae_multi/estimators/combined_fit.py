"""Constants of the score "combined", from the training rows; see `combined_score`."""

import numpy as np

# The weight of the reconstruction is this share divided by the share of the variance that it
# leaves unexplained.
_UNEXPLAINED, _LINEAR_WEIGHT = 0.1, 4.0
# Number of quantiles, and of knots with the two outside of them.
_LEVELS = 64
KNOTS = _LEVELS + 2
_MIN_KNOT_GAP, _BEYOND = 1e-3, 0.1
# An interquartile range of a normal distribution, in standard deviations.
_NORMAL_IQR = 1.349
_MIN_SPREAD = 0.1
# Mean squared errors below, relative to the variance, are rounding.
_ROUNDING = 1e-12


def fit_units(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the constants of the units of rows, float64 (n, features)."""
    deviation = _positive(values.std(axis=0))
    low, median, high = np.percentile(values, [25, 50, 75], axis=0)
    spread = np.where(high > low, (high - low) / _NORMAL_IQR, deviation)
    robust = np.arcsinh((values - median) / spread)
    return {
        "mean": values.mean(axis=0),
        "deviation": deviation,
        "median": median,
        "spread": spread,
        "robust_mean": robust.mean(axis=0),
        "robust_deviation": _positive(robust.std(axis=0)),
    }


def fit_components(standard: np.ndarray, count: int) -> np.ndarray:
    """Return up to ``count`` principal components: (count, features).

    scikit-learn's PCA warns about constant tables and single rows.
    """
    rows = standard.astype(np.float64)
    vectors = np.linalg.eigh(rows.T @ rows)[1]  # eigenvalues ascend
    return vectors[:, ::-1][:, : min(count, len(rows))].T


def _positive(deviation: np.ndarray) -> np.ndarray:
    """Return deviations with 1 for constant features."""
    return np.where(deviation > 1e-6, deviation, 1)


def fit_scale(
    errors: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the median and spread of the logarithms of errors, and what is added to errors.

    A term that is only rounding gets an infinite spread: it is the same for all rows.
    """
    typical, mean = np.median(errors, axis=0), errors.mean(axis=0)
    is_rounding = mean <= _ROUNDING * variance
    # Where most rows have an error of 0, its mean tells which errors are small.
    floor = np.where(typical > _ROUNDING * variance, 1e-6 * typical, 1e-2 * mean)
    floor = np.maximum(np.where(is_rounding, 1, floor), np.finfo(np.float32).tiny)
    logs = np.log(errors + floor)
    low, location, high = np.percentile(logs, [25, 50, 75], axis=0)
    spread = np.maximum((high - low) / _NORMAL_IQR, _MIN_SPREAD)
    return location, np.where(is_rounding, 1e30, spread), floor


def weights_of_terms(error: float, variance: float) -> np.ndarray:
    """Return the weights of the terms.

    The more of the variance the network explains, the more a failure to reconstruct says.
    """
    unexplained = np.clip(error / max(variance, _ROUNDING), 1e-6, 1)
    return np.array([_UNEXPLAINED / unexplained, _LINEAR_WEIGHT, 1, 1, 1])


def fit_rarity(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots of each feature and the rarity at them, each (k, features).

    The rarity of a value v is -log of the smaller of the shares of training rows with values of at
    least v and of at most v, as in ECOD (Li et al., IEEE TKDE 2022). Knots lie at quantiles from
    1/n to 1 - 1/n.
    """
    rows = len(values)
    tail = np.geomspace(0.5, 1 / rows, _LEVELS // 2)
    levels = np.concatenate([tail[::-1], 1 - tail[1:]])
    knots, rarities = [], []
    for column in np.sort(values, axis=0).T:
        chosen = np.quantile(column, levels, method="nearest")
        at = [chosen[0]]
        for value in chosen[1:]:
            if value - at[-1] > _MIN_KNOT_GAP:
                at.append(value)
        below = np.searchsorted(column, at, side="right")
        above = rows - np.searchsorted(column, at, side="left")
        rarity = -np.log(np.minimum(below, above) / rows)
        # 0.1 beyond the outermost knots a value counts as a twentieth of a row.
        x = np.concatenate([[at[0] - _BEYOND], at, [at[-1] + _BEYOND]])
        y = np.concatenate([[np.log(20 * rows)], rarity, [np.log(20 * rows)]])
        missing = KNOTS - len(x)
        knots.append(np.concatenate([x, x[-1] + 1 + np.arange(missing)]))
        rarities.append(np.concatenate([y, np.repeat(y[-1], missing)]))
    return np.stack(knots, axis=1), np.stack(rarities, axis=1)
