"""Errors of reconstructions, compared with their formulas."""

import numpy as np
import pytest

from ae_multi.metrics import psnr, squared_errors


def test_squared_errors_are_per_sample():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5000, 3, 4, 1), np.float32)
    expected = ((x.astype(np.float64) - y) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(squared_errors(x, y), expected, rtol=1e-12)


def test_psnr_equals_its_formula():
    assert psnr(np.array([0.01, 0.0001])) == pytest.approx((20 + 40) / 2)
    assert psnr(np.array([0.0])) == 100
