"""The order of blocks of adjacent rows."""

import numpy as np
import pytest

from ae_multi.data.batches import BatchOrder
from ae_multi.data.block_order import BlockOrder

pytestmark = [pytest.mark.backend, pytest.mark.once]


def make(samples=103, batch=8, seed=0, block_size=5, blocks=4, **kwargs):
    return BlockOrder(samples, batch, seed, block_size=block_size, blocks=blocks, **kwargs)


def test_every_sample_occurs_once_in_each_epoch():
    order = make()
    seen = [order.rows(epoch, 0, 103) for epoch in range(3)]
    for rows in seen:
        np.testing.assert_array_equal(np.sort(rows), np.arange(103))
    assert not np.array_equal(seen[0], seen[1])


def test_rows_are_a_pure_function_of_seed_and_epoch():
    whole = make().rows(1, 0, 103)
    for begin, end in ((0, 8), (17, 64), (96, 103), (40, 40)):
        np.testing.assert_array_equal(make().rows(1, begin, end), whole[begin:end])
    assert not np.array_equal(make(seed=1).rows(1, 0, 103), whole)
    np.testing.assert_array_equal(make(offset=1).rows(0, 0, 103), whole)


def test_groups_of_blocks_are_shuffled_together():
    rows, groups = make().rows(0, 0, 103), []
    while len(rows):
        # The last of the 21 blocks has 3 rows, and the last group has a single block.
        size = 18 if 20 in rows[:18] // 5 else 20
        groups.append(rows[:size])
        rows = rows[size:]
    assert len(groups) == 6
    for group in groups:
        whole = (np.unique(group // 5)[:, np.newaxis] * 5 + np.arange(5)).ravel()
        np.testing.assert_array_equal(np.sort(group), whole[whole < 103])
        assert not (np.diff(group) > 0).all()


@pytest.mark.parametrize("steps", [None, 4])
def test_batches_agree_with_rows(steps):
    for order in (make(steps=steps), BatchOrder(103, 8, 0, steps), BatchOrder(103, 8, None, steps)):
        for epoch in range(5):
            full, rest = order.epoch(epoch)
            rows = np.concatenate([full.ravel(), rest.ravel()])
            np.testing.assert_array_equal(rows, order.rows(epoch, 0, order.size(epoch)))
            assert order.size(epoch) <= (steps or 13) * 8


def test_unshuffled_rows_are_in_the_order_of_the_file():
    np.testing.assert_array_equal(make(seed=None).rows(3, 7, 20), np.arange(7, 20))
