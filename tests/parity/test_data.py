"""Samples that a parity check writes for its child processes."""

import numpy as np

from ae_multi.parity.data import hand_over, receive


def test_float64_samples_equal_the_float32_samples(tmp_path):
    x = np.random.default_rng(0).random((8, 3))
    words = np.arange(8, dtype=np.int64)[:, None]
    place = hand_over([x, words], x, None, 0, tmp_path / "data.npz")
    exact, single = (receive(place, floatx) for floatx in ("float64", "float32"))
    for double, other in zip(exact.xs + exact.ys, single.xs + single.ys, strict=True):
        np.testing.assert_array_equal(double, other)
    np.testing.assert_array_equal(exact.xs[0], x.astype(np.float32))
    assert exact.xs[0].dtype == np.float64
    assert exact.xs[1].dtype == np.int64
