"""Streams of random numbers of a seed, a purpose and a step."""

import numpy as np
import pytest
from scipy import stats

from ae_multi.errors import InputError
from ae_multi.randomness.streams import (
    _places_in_order,
    check_seed,
    normal,
    permutation,
    stream,
    uniform,
)


def test_streams_equal_recorded_numbers():
    # Trained models, recorded results and checkpoints depend on these numbers.
    assert [hex(word) for word in stream(0, "order").random_raw(2)] == ORDER_WORDS
    assert permutation(7, 3, 10).tolist() == PERMUTATION
    np.testing.assert_array_equal(uniform(0, "weights/code", (3,)), np.float32(UNIFORMS))


def test_each_argument_gives_another_stream():
    streams = [
        stream(seed, purpose, step).random_raw(1000)
        for seed in (0, 1, 2**64 - 1)
        for purpose in ("order", "weights/a", "weights/b")
        for step in (0, 1, 469)
    ]
    assert len(np.unique(streams)) == 27 * 1000


def test_steps_are_far_apart_in_their_stream():
    # Step 1 is not the continuation of step 0.
    longer = stream(0, "order", 0).random_raw(4096)
    assert not np.isin(stream(0, "order", 1).random_raw(64), longer).any()


def test_uniform_numbers_are_uniform():
    numbers = uniform(3, "test", (200_000,))
    assert numbers.dtype == np.float32
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers, "uniform").pvalue > 0.01
    np.testing.assert_array_equal(numbers * 2**24, np.round(numbers * 2**24))


@pytest.mark.parametrize("bound", [np.inf, 2.0])
def test_normal_numbers_are_normal_within_their_bound(bound):
    numbers = normal(3, "test", (400, 500), bound)
    assert numbers.shape == (400, 500)
    assert abs(numbers).max() < bound
    expected = stats.truncnorm(-bound, bound)
    assert stats.kstest(numbers.ravel(), expected.cdf).pvalue > 0.01


def test_permutation_contains_every_sample_once():
    order = permutation(0, 5, 60_000)
    np.testing.assert_array_equal(np.sort(order), np.arange(60_000))
    assert (order == permutation(0, 5, 60_000)).all()
    assert (order != permutation(0, 6, 60_000)).mean() > 0.999
    assert (order != permutation(1, 5, 60_000)).mean() > 0.999


@pytest.mark.parametrize("samples", [0, 1, 2, 1000, 2**18, 2**18 + 1])
def test_permutation_is_the_stable_argsort_of_the_stream(samples):
    expected = np.argsort(stream(3, "order", 2).random_raw(samples), kind="stable")
    found = permutation(3, 2, samples)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shift", [0, 10, 18, 30])
def test_close_and_equal_numbers_are_sorted_stably(shift):
    numbers = np.random.default_rng(0).integers(0, 50, 200).astype(np.uint64) << np.uint64(shift)
    numbers[::3] += np.uint64(2**60)
    np.testing.assert_array_equal(_places_in_order(numbers), np.argsort(numbers, kind="stable"))


def test_permutations_are_uniform():
    firsts = [permutation(seed, 0, 5)[0] for seed in range(5000)]
    assert stats.chisquare(np.bincount(firsts)).pvalue > 0.01


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "0", None, True])
def test_invalid_seed_is_refused(seed):
    with pytest.raises(InputError, match=r"0 to 2\*\*64 - 1"):
        check_seed(seed)


def test_numpy_integers_are_valid_seeds():
    assert check_seed(np.int64(7)) == 7


ORDER_WORDS = ["0x76a4aaa83ddbd4c6", "0x16cfa5ad34bc0ef4"]
PERMUTATION = [2, 6, 3, 7, 8, 9, 1, 4, 0, 5]
UNIFORMS = [0.3394625782966614, 0.24212348461151123, 0.18437165021896362]
