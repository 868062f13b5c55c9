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

from ae_multi.estimators.combined_fit import (
    KNOTS,
    fit_components,
    fit_rarity,
    fit_scale,
    fit_units,
    weights_of_terms,
)
from ae_multi.estimators.neighbors import blocks, mean_squared_distances, squared_differences

# Enough rows for the density of a table, few enough to be compared with every row.
MAX_ROWS = 3000
NEIGHBORS = 5
# The bulk of the data is measured with a tenth of at most so many rows.
MAX_BULK_ROWS, BULK_SHARE = 200, 0.1
TERMS = ("reconstruction", "linear", "near", "bulk", "rarity")

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
    constants = fit_units(values)
    units = units_of(rows, constants)
    components = fit_components(units.standard, max(rows.shape[1] // 4, 1))
    knots, rarities = fit_rarity(units.robust.astype(np.float64))
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
    location, spread, floor = fit_scale(errors, variance)
    scale = {
        "location": location,
        "scale": spread,
        "floor": floor,
        "term_weights": weights_of_terms(errors[:, 0].mean(), variance[0]),
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
    shapes |= dict.fromkeys(("knots", "rarities"), (KNOTS, features))
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
