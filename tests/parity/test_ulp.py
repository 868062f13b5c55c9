"""Perturbation of weights by units in the last place."""

import numpy as np
import pytest

from ae_multi.parity.ulp import perturb_by_ulp
from ae_multi.randomness.streams import stream

TINY, LARGEST = np.float32(1e-45), np.finfo(np.float32).max
SPECIAL = np.array([0, -0.0, TINY, -TINY, 1, -1, LARGEST, -LARGEST, 0.1, 2.0**-126], np.float32)


@pytest.mark.parametrize("ulps", [1, 8, 64])
def test_weights_move_like_repeated_nextafter(ulps):
    drawn = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    weights = [SPECIAL, drawn.T, drawn[0, 0].reshape(())]
    for place, (weight, found) in enumerate(
        zip(weights, perturb_by_ulp(weights, 3, 2, ulps), strict=True)
    ):
        bits = stream(3, f"ulp/{place}", 2).random_raw(weight.size).reshape(weight.shape)
        towards = np.where(bits >> np.uint64(63), np.float32(np.inf), np.float32(-np.inf))
        expected = weight
        for _ in range(ulps):
            expected = np.nextafter(expected, towards)
        assert found.dtype == np.float32
        assert found.shape == weight.shape
        np.testing.assert_array_equal(found, expected)


def test_integers_are_unchanged():
    counter = np.arange(3)
    assert perturb_by_ulp([counter], 0, 1)[0] is counter
