"""Scores of a `TimeSeriesDetector` that another backend has trained, and of equal trainings."""

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS

pytestmark = pytest.mark.across

SAVE = """
import sys, numpy as np, ae_multi
x = np.load("x.npy")
for model in ("conv", "lstm"):
    small = {"window": 13, "stride": 5, "hidden": (6,), "epochs": 2, "random_state": 3}
    detector = ae_multi.TimeSeriesDetector(model=model, **small).fit(x[:300])
    detector.save(f"{sys.argv[1]}-{model}.ae")
    np.savez(f"{sys.argv[1]}-{model}.npz", errors=detector.feature_errors(x))
"""

LOAD = """
import sys, numpy as np, ae_multi
x = np.load("x.npy")
for saved in sys.argv[1].split(","):
    for model in ("conv", "lstm"):
        expected = np.load(f"{saved}-{model}.npz")["errors"]
        found = ae_multi.load_estimator(f"{saved}-{model}.ae").feature_errors(x)
        print(abs(found / expected - 1).max())
"""


def test_scores_are_equal_on_all_backends(run_on, tmp_path):
    rng = np.random.default_rng(0)
    time = np.arange(400)[:, np.newaxis]
    np.save(tmp_path / "x.npy", np.sin(time / [3, 5, 5]) + rng.normal(0, 0.1, (400, 3)))
    for backend in BACKENDS:
        run_on(backend, SAVE, backend)
    for backend in BACKENDS:
        lines = run_on(backend, LOAD, ",".join(BACKENDS)).split()
        assert len(lines) == 2 * len(BACKENDS)
        assert max(map(float, lines)) < 1e-5
    # Few steps from the same weights in the same order differ by rounding alone.
    for model in ("conv", "lstm"):
        errors = [np.load(tmp_path / f"{name}-{model}.npz")["errors"] for name in BACKENDS]
        for other in errors[1:]:
            np.testing.assert_allclose(other, errors[0], rtol=1e-3)
