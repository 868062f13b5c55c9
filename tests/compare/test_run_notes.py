"""Notes about the results of a comparison."""

import math

import pytest

from tests.reference.comparisons import result_of


@pytest.mark.parametrize(
    ("mse", "note"),
    [
        (0.02, None),
        (0.04, "worse than PCA with 9 components"),
        (0.07, "no better than predicting the mean image"),
        (math.nan, "the training diverged, its error is not finite"),
    ],
)
def test_notes_compare_the_mse_with_the_baselines(mse, note):
    from ae_multi.compare.run import _notes

    found = _notes(result_of("deep", "jax", test_mse=mse), {"mean_image_mse": 0.0675})
    assert found == ([note] if note else [])
