"""Distances to neighbors, and the random choice of samples."""

import numpy as np
import pytest

from ae_multi.estimators import neighbors

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_distances_far_from_zero_are_exact():
    known = np.float32(1e4) + np.arange(5, dtype=np.float32)[:, np.newaxis]
    found = neighbors.squared_differences(known[:1], known, 2)
    assert found.tolist() == [[(1 + 4) / 2]]


def test_fewer_samples_than_neighbors_are_accepted():
    known = np.array([[0.0], [1], [3]], np.float32)
    assert neighbors.squared_differences(known[:1], known, 10).tolist() == [[(1 + 9) / 2]]
    assert neighbors.squared_differences(known[1:2], known[:1], 10).tolist() == [[1]]
    assert neighbors.number_of("auto", 1000, images=False) == 100
    assert neighbors.number_of("auto", 3, images=False) == 1
    assert neighbors.number_of("auto", 1000, images=True) == 3
    assert neighbors.number_of(7, 1000, images=True) == 7


def test_samples_are_drawn_evenly_from_all_chunks():
    chunks = [np.arange(begin, begin + 1000) for begin in range(0, 32000, 1000)]
    drawn = neighbors.draw_samples(chunks, 0)
    assert len(drawn) == len(set(drawn)) == neighbors.MAX_SAMPLES
    counts = np.bincount(drawn // 1000, minlength=32)  # 250 ± 13
    assert counts.min() > 190
    assert counts.max() < 310
    np.testing.assert_array_equal(drawn, neighbors.draw_samples(chunks, 0))
    assert not np.array_equal(drawn, neighbors.draw_samples(chunks, 1))
    np.testing.assert_array_equal(neighbors.draw_samples(chunks[:2], 0), np.arange(2000))
