"""Digits on clutter."""

import numpy as np
import pytest

from ae_multi.data.clutter import clutter
from ae_multi.errors import InputError


def test_clutter_follows_the_seed_and_hides_the_digit(digits):
    few = digits.x_train[:60]
    scenes, masks = clutter(few, 5, "a")
    again, _ = clutter(few, 5, "a")
    np.testing.assert_array_equal(scenes, again)
    assert scenes.shape == few.shape
    assert scenes.dtype == np.float32
    assert scenes.min() >= 0
    assert scenes.max() <= 1
    for other in (clutter(few, 6, "a"), clutter(few, 5, "b")):
        assert np.abs(other[0] - scenes).mean() > 0.05
        np.testing.assert_array_equal(other[1], masks)
    np.testing.assert_array_equal(masks, few[..., 0] > 0.5)
    # The other strokes are as bright as the digit, so that no threshold separates them.
    assert scenes[masks].mean() > 0.65
    assert (scenes[~masks] > 0.65).mean() > 0.05
    black, none = clutter(np.zeros((4, 28, 28, 1), np.float32), 0)
    assert not none.any()
    assert 0.15 < black.mean() < 0.35
    with pytest.raises(InputError, match=r"at least 2 images to cut from. Received: 1"):
        clutter(few[:1], 0)
