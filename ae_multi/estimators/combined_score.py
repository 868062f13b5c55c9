r"""The score "combined" of `AnomalyDetector` for tables: five errors on one scale.

Each error is a mean over the features of a row. On normal data errors are positive and skewed, so
their logarithms are compared: z = (log e - median) / spread, with the median and the spread of the
training rows. The score is log(1 + Σ wⱼ exp zⱼ), a soft maximum: one error that is large is enough,
and several that are fairly large add up. Log-sum-exp is the usual smooth maximum (Boyd &
Vandenberghe, "Convex Optimization", 2004, section 3.1.5).
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ae_multi.estimators.neighbors import blocks, mean_squared_distances, squared_differences

# Enough rows for the density of a table, few enough to be compared with every row.
MAX_ROWS = 3000
NEIGHBORS = 5
# The bulk of the data is measured with a tenth of at most so many rows.
MAX_BULK_ROWS, BULK_SHARE = 200, 0.1
TERMS = ("reconstruction", "linear", "near", "bulk", "rarity")
# The weight of the reconstruction is this share divided by the share of the variance that it
# leaves unexplained.
_UNEXPLAINED, _LINEAR_WEIGHT = 0.1, 4.0
_KNOTS = 64
_MIN_KNOT_GAP, _BEYOND = 1e-3, 0.1
# An interquartile range of a normal distribution, in standard deviations.
_NORMAL_IQR = 1.349
_MIN_SPREAD = 0.1
# Mean squared errors below, relative to the variance, are rounding.
_ROUNDING = 1e-12

Constants = Mapping[str, np.ndarray]


class Units(NamedTuple):
    """Rows in the units of the terms: float32 (n, features) each.

    Attributes:
        standard: mean 0 and standard deviation 1.
        robust: the inverse hyperbolic sine of (x - median) / spread, to mean 0 and standard
            deviation 1: linear near the median and logarithmic in the tails.
    """

    standard: np.ndarray
    robust: np.ndarray


def fit(rows: np.ndarray, outputs: np.ndarray, neighbors: int = NEIGHBORS) -> dict[str, np.ndarray]:
    """Return the constants of the score.

    Args:
        rows: training rows, scaled for the network, float32 (n, features); at most `MAX_ROWS`.
        outputs: their reconstructions.
        neighbors: number of nearest rows of the term "near".

    Returns:
        Dict of float32 arrays: ``mean``, ``deviation``, ``median``, ``spread``, ``robust_mean``
        and ``robust_deviation`` (features,), the units; ``components`` (q, features); ``rows``
        (n, features), in robust units; ``knots`` and ``rarities`` (k, features); ``location``
        and ``scale`` (5,), of the logarithms of the terms, and ``floor`` (5,), added to them;
        ``count`` (), the number of neighbors; and ``term_weights`` (5,).
    """
    values = rows.astype(np.float64)
    constants = _fit_units(values)
    units = units_of(rows, constants)
    components = _fit_components(units.standard, max(rows.shape[1] // 4, 1))
    knots, rarities = _fit_rarity(units.robust.astype(np.float64))
    constants |= {
        "components": components,
        "rows": units.robust,
        "knots": knots,
        "rarities": rarities,
        "count": np.asarray(neighbors),
    }
    constants = {name: np.asarray(value, np.float32) for name, value in constants.items()}
    errors = term_errors(rows, outputs, constants)
    variance = np.array([values.var(axis=0).mean(), 1, 1, 1, 1])
    location, spread, floor = _fit_scale(errors, variance)
    scale = {
        "location": location,
        "scale": spread,
        "floor": floor,
        "term_weights": _weights(errors[:, 0].mean(), variance[0]),
    }
    return constants | {name: value.astype(np.float32) for name, value in scale.items()}


def are_valid(constants: Constants, features: int) -> bool:
    """Return whether ``constants`` are what `fit` returns for rows of ``features`` values."""
    values = list(constants.values())
    is_float32 = all(isinstance(each, np.ndarray) and each.dtype == np.float32 for each in values)
    if not is_float32 or not all(np.isfinite(each).all() for each in values):
        return False
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(
        ("mean", "deviation", "median", "spread", "robust_mean", "robust_deviation"), (features,)
    )
    shapes |= dict.fromkeys(("location", "scale", "floor", "term_weights"), (len(TERMS),))
    shapes |= dict.fromkeys(("knots", "rarities"), (_KNOTS + 2, features))
    found = {name: each.shape for name, each in constants.items()}
    stored = [found.pop(name, ()) for name in ("components", "rows")]
    has_rows = all(len(shape) == 2 and shape[0] > 0 and shape[1] == features for shape in stored)
    if not has_rows or found != {**shapes, "count": ()}:
        return False
    positive = (
        "deviation",
        "spread",
        "robust_deviation",
        "scale",
        "floor",
        "count",
        "term_weights",
    )
    return all((constants[name] > 0).all() for name in positive)


def units_of(rows: np.ndarray, constants: Constants) -> Units:
    """Return scaled rows in the units of the terms."""
    standard = (rows - constants["mean"]) / constants["deviation"]
    robust = np.arcsinh((rows - constants["median"]) / constants["spread"])
    robust = (robust - constants["robust_mean"]) / constants["robust_deviation"]
    return Units(standard.astype(np.float32), robust.astype(np.float32))


def term_errors(rows: np.ndarray, outputs: np.ndarray, constants: Constants) -> np.ndarray:
    """Return the terms of each row: float64 (n, 5), in the order of `TERMS`.

    Args:
        rows: scaled rows, float32 (n, features).
        outputs: their reconstructions.
        constants: the constants of `fit`.
    """
    units, bulk = units_of(rows, constants), _bulk(constants)
    known, count = constants["rows"], int(constants["count"])
    errors = [
        np.square(rows - outputs).mean(axis=1, dtype=np.float64),
        np.square(_residual(units.standard, constants)).mean(axis=1, dtype=np.float64),
        mean_squared_distances(units.robust, known, count) / rows.shape[1],
        mean_squared_distances(units.robust, bulk, _bulk_count(bulk)) / rows.shape[1],
        _rarity(units.robust, constants).mean(axis=1, dtype=np.float64),
    ]
    return np.stack(errors, axis=1)


def feature_terms(rows: np.ndarray, outputs: np.ndarray, constants: Constants) -> np.ndarray:
    """Return the terms of each value, whose means over the features are `term_errors`.

    Returns:
        float32 (5, n, features).
    """
    units, bulk = units_of(rows, constants), _bulk(constants)
    known, count = constants["rows"], int(constants["count"])
    return np.stack(
        [
            np.square(rows - outputs),
            np.square(_residual(units.standard, constants)),
            squared_differences(units.robust, known, count),
            squared_differences(units.robust, bulk, _bulk_count(bulk)),
            _rarity(units.robust, constants),
        ]
    )


def scores(rows: np.ndarray, outputs: np.ndarray, constants: Constants) -> np.ndarray:
    """Return the score of each row: float64 (n,), at least 0."""
    return combine(term_errors(rows, outputs, constants), constants)[0]


def combine(errors: np.ndarray, constants: Constants) -> tuple[np.ndarray, np.ndarray]:
    """Return the scores of term errors, and the share of each term.

    Args:
        errors: float64 (n, 5).
        constants: the constants of `fit`.

    Returns:
        (scores, shares), float64 (n,) and (n, 5); the shares of a row add up to 1.
    """
    floor, location, scale, weights = (
        constants[name].astype(np.float64)
        for name in ("floor", "location", "scale", "term_weights")
    )
    exponents = np.log(weights) + (np.log(errors + floor) - location) / scale
    total = np.logaddexp.reduce(exponents, axis=1)
    return np.logaddexp(0, total), np.exp(exponents - total[:, np.newaxis])


def contributions(rows: np.ndarray, outputs: np.ndarray, constants: Constants) -> np.ndarray:
    """Return how much of the score each value contributes: float32 (n, features).

    The mean over a row is its score. A term has its share of the score, and a value the share of
    the term that it has in the term's mean.
    """
    result = np.empty(rows.shape, np.float32)
    for block in blocks(len(rows), rows.shape[1] * MAX_BULK_ROWS):
        terms = feature_terms(rows[block], outputs[block], constants).astype(np.float64)
        errors = terms.mean(axis=2)  # (5, n)
        score, shares = combine(errors.T, constants)
        # A term that is 0 has nothing to distribute unequally.
        safe = np.where(errors > 0, errors, 1)[..., np.newaxis]
        relative = np.where(errors[..., np.newaxis] > 0, terms / safe, 1.0)
        result[block] = score[:, np.newaxis] * np.einsum("nt,tnf->nf", shares, relative)
    return result


def sensitivity(rows: np.ndarray, constants: Constants) -> float:
    """Return the change of a score that an error of the values can cause, relative to that error.

    Args:
        rows: scaled rows of the size of those that are scored, float32 (n, features).
        constants: the constants of `fit`.
    """
    largest = max(float(np.max(np.abs(values))) for values in (rows, *units_of(rows, constants)))
    # An error d of a value changes the mean of the squares r² by up to 2 r d.
    typical = np.exp(constants["location"] / 2)
    return float(np.max((1 + 2 * largest / typical) / constants["scale"]))


def _fit_units(values: np.ndarray) -> dict[str, np.ndarray]:
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


def _fit_components(standard: np.ndarray, count: int) -> np.ndarray:
    """Return up to ``count`` principal components: (count, features).

    scikit-learn's PCA warns about constant tables and single rows.
    """
    rows = standard.astype(np.float64)
    vectors = np.linalg.eigh(rows.T @ rows)[1]  # eigenvalues ascend
    return vectors[:, ::-1][:, : min(count, len(rows))].T


def _positive(deviation: np.ndarray) -> np.ndarray:
    """Return deviations with 1 for constant features."""
    return np.where(deviation > 1e-6, deviation, 1)


def _fit_scale(
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


def _weights(error: float, variance: float) -> np.ndarray:
    """Return the weights of the terms.

    The more of the variance the network explains, the more a failure to reconstruct says.
    """
    unexplained = np.clip(error / max(variance, _ROUNDING), 1e-6, 1)
    return np.array([_UNEXPLAINED / unexplained, _LINEAR_WEIGHT, 1, 1, 1])


def _fit_rarity(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return knots of each feature and the rarity at them, each (k, features).

    The rarity of a value v is -log of the smaller of the shares of training rows with values of at
    least v and of at most v, as in ECOD (Li et al., IEEE TKDE 2022). Knots lie at quantiles from
    1/n to 1 - 1/n.
    """
    rows = len(values)
    tail = np.geomspace(0.5, 1 / rows, _KNOTS // 2)
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
        missing = _KNOTS + 2 - len(x)
        knots.append(np.concatenate([x, x[-1] + 1 + np.arange(missing)]))
        rarities.append(np.concatenate([y, np.repeat(y[-1], missing)]))
    return np.stack(knots, axis=1), np.stack(rarities, axis=1)


def _rarity(robust: np.ndarray, constants: Constants) -> np.ndarray:
    """Return the rarity of each value, linear between the knots: float32 (n, features)."""
    columns = zip(robust.T, constants["knots"].T, constants["rarities"].T, strict=True)
    return np.stack([np.interp(*column) for column in columns], axis=1).astype(np.float32)


def _residual(standard: np.ndarray, constants: Constants) -> np.ndarray:
    """Return what a quarter of the principal components does not explain."""
    components = constants["components"]
    return standard - standard @ components.T @ components


def _bulk(constants: Constants) -> np.ndarray:
    return constants["rows"][:: bulk_step(len(constants["rows"]))]


def bulk_step(rows: int) -> int:
    """Return the step between the stored rows that serve for the bulk."""
    return -(-rows // MAX_BULK_ROWS)


def _bulk_count(bulk: np.ndarray) -> int:
    return bulk_count(len(bulk))


def bulk_count(rows: int) -> int:
    """Return the number of nearest rows among ``rows`` that serve for the bulk."""
    return max(round(BULK_SHARE * rows), 1)
