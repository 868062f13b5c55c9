"""Floors of the tasks against other ways to get them, and digits among clutter."""

import numpy as np
import pytest

from ae_multi.data.clutter import clutter
from ae_multi.errors import InputError

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_quality_by_hand():
    from ae_multi.tasks.denoise import _quality

    clean = np.zeros((2, 12, 12, 1), np.float32)
    images = clean.copy()
    images[0] += 0.1  # 20 dB
    images[1, :6] += 0.1  # half of the error: 23.01 dB
    found, similar = _quality(clean, images)
    assert found == pytest.approx((20 + 20 + 10 * np.log10(2)) / 2, abs=1e-4)
    assert _quality(images, images)[1] == pytest.approx(1, abs=1e-5)
    assert similar < 0.5


def test_the_linear_filter_is_least_squares():
    from ae_multi.baselines import LinearFilter

    rng = np.random.default_rng(0)
    clean = rng.uniform(0.3, 0.7, (300, 3, 4))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    y, x = noisy.reshape(300, -1), clean.reshape(300, -1)
    columns = np.column_stack([y, np.ones(300)])
    expected = columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
    restored = LinearFilter(noisy, clean, penalty=1e-12)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # A penalty is as good as rows of zeros to be learned as well.
    centred = np.vstack([y - y.mean(axis=0), np.sqrt(300 * 0.05) * np.eye(12)])
    wanted = np.vstack([x - x.mean(axis=0), np.zeros((12, 12))])
    expected = x.mean(axis=0) + (y - y.mean(axis=0)) @ np.linalg.lstsq(centred, wanted)[0]
    restored = LinearFilter(noisy, clean, penalty=0.05)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # With few samples of pure noise, much of it has to be held back.
    assert LinearFilter(rng.random((40, 30)), rng.random((40, 30))).penalty == 0.1


def test_otsu_is_the_best_of_all_thresholds():
    from ae_multi.baselines import best_threshold, otsu
    from ae_multi.metrics import iou

    rng = np.random.default_rng(3)
    for _ in range(20):
        values = np.round(np.r_[rng.normal(0.3, 0.1, 40), rng.normal(0.7, 0.2, 25)], 1)

        def between(limit, values=values):
            low, high = values[values <= limit], values[values > limit]
            share = len(low) / len(values)
            return share * (1 - share) * (low.mean() - high.mean()) ** 2

        choices = np.unique(values)[:-1]
        assert between(otsu(values)) == pytest.approx(max(map(between, choices)), rel=1e-9)
    assert not (np.full(9, 0.4) > otsu(np.full(9, 0.4))).any()
    assert iou(np.array([1, 1, 0, 0]) > 0, np.array([1, 0, 1, 0]) > 0) == pytest.approx(1 / 3)
    images = np.linspace(0, 1, 50).reshape(2, 5, 5)
    assert iou(images > best_threshold(images, images > 0.6), images > 0.6) == 1


def test_clutter_comes_from_the_seed_and_hides_the_digit(digits):
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
    # The digit is bright; so are strokes beside it, which no threshold could tell from it.
    assert scenes[masks].mean() > 0.65
    assert (scenes[~masks] > 0.65).mean() > 0.05
    black, none = clutter(np.zeros((4, 28, 28, 1), np.float32), 0)
    assert not none.any()
    assert 0.15 < black.mean() < 0.35
    with pytest.raises(InputError, match=r"at least 2 images to cut from. Received: 1"):
        clutter(few[:1], 0)
