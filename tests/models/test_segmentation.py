"""`SegmentationNetwork`: images of any size, outputs against NumPy, segmentation of squares."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference.numpy_conv import conv, conv_transpose

pytestmark = pytest.mark.backend


def squares(count, classes=1):
    """Return noisy images (count, 12, 12, 1) of one square each, and masks (count, 12, 12).

    The square has a class from 1 to ``classes``, which sets its brightness.
    """
    rng = np.random.default_rng(0)
    masks = np.zeros((count, 12, 12), np.int32)
    for mask in masks:
        i, j, kind = *rng.integers(0, 8, 2), rng.integers(1, classes + 1)
        mask[i : i + 4, j : j + 4] = kind
    images = masks / classes * 0.8 + rng.uniform(0, 0.2, masks.shape)
    return images[..., None].astype(np.float32), masks


@pytest.mark.parametrize(("shape", "classes"), [((1, 5, 2), 1), ((9, 7), 3), ((16, 16, 1), 1)])
def test_images_of_any_size_are_accepted(shape, classes):
    model = ae_multi.SegmentationNetwork((2, 3, 4), classes, shape)
    x = np.random.default_rng(0).random((3, *shape), np.float32)
    found = model.predict(x, verbose=0)
    assert found.shape == (3, *shape[:2], classes)
    if classes > 1:
        np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-6)
        np.testing.assert_array_equal(model.segment(x), found.argmax(axis=-1))
    else:
        np.testing.assert_array_equal(model.segment(x), found[..., 0] >= 0.5)


def test_model_equals_numpy_in_float64():
    model = ae_multi.SegmentationNetwork((3, 4), 1, (5, 7, 2), seed=2)
    for i, weight in enumerate(model.weights):
        value = np.random.default_rng(i).normal(0, 0.4, weight.shape)
        weight.assign(value.astype(np.float32))
    x = np.random.default_rng(0).random((4, 5, 7, 2), np.float32)
    weights = iter(model.get_weights())

    def convolve_twice(h):
        for _ in range(2):
            h = np.maximum(conv(h, next(weights), next(weights), 1), 0)
        return h

    skip = convolve_twice(x.astype(np.float64))
    padded = np.pad(skip, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=-np.inf)
    code = convolve_twice(padded.reshape(4, 3, 2, 4, 2, 3).max(axis=(2, 4)))
    larger = conv_transpose(code, next(weights), next(weights), 2)[:, :5, :7]
    h = convolve_twice(np.concatenate([skip, larger], axis=-1))
    out = 1 / (1 + np.exp(-conv(h, next(weights), next(weights), 1)))
    np.testing.assert_allclose(model.predict(x, verbose=0), out, rtol=0, atol=2e-6)


@pytest.mark.parametrize("classes", [1, 2])
def test_model_finds_squares_and_loads_unchanged(keras, tmp_path, classes):
    images, masks = squares(192, classes)
    model = ae_multi.SegmentationNetwork((8, 8), classes + (classes > 1), (12, 12, 1))
    model.compile(keras.optimizers.Adam(0.01))
    history = model.fit(images[:128], masks[:128], batch_size=16, epochs=20, verbose=0)
    assert history.plan.name not in ("keras", "eager"), history.plan.why
    found, true = model.segment(images[128:]), masks[128:]
    assert found.dtype == np.int32
    both = ((found == true) & (true > 0)).sum()
    assert both / ((found > 0) | (true > 0)).sum() > 0.9
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.segment(images), model.segment(images))
    assert type(again.loss) is type(model.loss)


def test_seed_determines_the_initial_weights_of_clones():
    model = ae_multi.SegmentationNetwork((2, 3), seed=4)
    clone = ae_multi.SegmentationNetwork.from_config(model.get_config())
    for a, b in zip(model.get_weights(), clone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    other = ae_multi.SegmentationNetwork((2, 3), seed=5)
    assert not np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_masks_of_either_rank_are_accepted(keras):
    images, masks = squares(32)
    model = ae_multi.SegmentationNetwork((2, 3), 1, (12, 12, 1))
    model.compile()
    history = model.fit(
        images, masks[..., None] > 0, validation_data=(images, masks), batch_size=32, verbose=0
    )
    p = model.predict(images, verbose=0)[..., 0].astype(np.float64)
    loss = -np.mean(np.where(masks > 0, np.log(p), np.log(1 - p)))
    assert history.history["val_loss"][0] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (np.zeros((8, 12, 11)), r"shape \(8, 12, 12\).*Received: shape \(8, 12, 11\)"),
        (np.zeros((7, 12, 12)), r"Received: shape \(7, 12, 12\)"),
        (None, r"Received: shape \(\)"),
        (np.full((8, 12, 12), 255), "values from 0 to 1. Received: 255 to 255"),
        (np.full((8, 12, 12), np.nan), "Received: nan"),
    ],
    ids=range(5),
)
def test_invalid_masks_are_refused(masks, message):
    images, _ = squares(8)
    model = ae_multi.SegmentationNetwork((2, 3), 1, (12, 12, 1))
    model.compile()
    for method in (model.fit, model.evaluate):
        with pytest.raises(InputError, match=message):
            method(images, masks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (20,)}, r"height, width.* Received: \(20,\)"),
        ({"filters": ()}, "filters"),
        ({"classes": 0}, "classes .*Received: 0"),
        ({"seed": -1}, "seed"),
    ],
    ids=range(4),
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.SegmentationNetwork(**arguments)
