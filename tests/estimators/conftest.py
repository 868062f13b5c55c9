"""Fixtures of the tests of estimators."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def table():
    """Return 400 rows of five features of very different sizes on a curve, and a constant one."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, 400)
    noise = rng.normal(0, 0.01, (5, 400))
    features = np.stack([1e6 * t, t**2, 1e-5 * np.sin(3 * t), -t, t**3]) + noise * [
        [1e6],
        [1],
        [1e-5],
        [1],
        [1],
    ]
    return np.column_stack([*features, np.full(400, 7.5)])
