"""A detector of tables that one backend has saved gives the same scores on all."""

import numpy as np
import pytest

from tests.reference.real_tables import real_table, write_table

pytestmark = [pytest.mark.across, pytest.mark.slow]

FIT = """
import ae_multi
from ae_multi.data.table_file import read_table
frame = read_table("fit.csv").frame
detector = ae_multi.AnomalyDetector(
    preprocessor="auto", contamination="held_out", epochs=20, scale="standard"
)
detector.fit(frame.drop(columns="alarm")).save("pump.ae")
"""
SCORE = """
import sys, numpy as np, ae_multi
from ae_multi.data.table_file import read_table
detector = ae_multi.load_estimator("pump.ae")
frame = read_table("new.csv").frame
np.savez(sys.argv[1], features=detector.preprocessor_.transform(frame),
         scores=detector.anomaly_score(frame), columns=detector.column_errors(frame),
         probabilities=detector.predict_proba(frame), labels=detector.predict(frame))
"""


def test_saved_detector_has_equal_scores_on_every_backend(run_on, tmp_path):
    write_table(tmp_path / "fit.csv", real_table())
    write_table(tmp_path / "new.csv", real_table(500, seed=1))
    run_on("jax", FIT)
    results = {}
    for backend in ("jax", "torch", "tensorflow"):
        run_on(backend, SCORE, f"{backend}.npz")
        with np.load(tmp_path / f"{backend}.npz") as arrays:
            results[backend] = dict(arrays)
    expected = results.pop("jax")
    for found in results.values():
        np.testing.assert_array_equal(found["features"], expected["features"])
        np.testing.assert_array_equal(found["labels"], expected["labels"])
        np.testing.assert_allclose(found["scores"], expected["scores"], rtol=1e-5)
        # Of two neighbors at the same distance rounding chooses one: the score is the same, but
        # not the contributions of the columns.
        limit = 1e-5 * expected["columns"].max()
        differs = (abs(found["columns"] - expected["columns"]) > limit).any(axis=1)
        assert differs.mean() < 0.01
        np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=5e-3)
