"""`Segmenter`: predictions, shapes and errors."""

import numpy as np
import pytest

import ae_multi
from ae_multi.estimators.masks import as_masks, mean_iou

pytestmark = [pytest.mark.backend, pytest.mark.once]


def scenes(count, seed):
    """Return noisy images of a disc and a square of equal brightness, and masks of 0, 3 and 7."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:15, :13]
    images, masks = rng.normal(0.3, 0.1, (count, 15, 13)), np.zeros((count, 15, 13), int)
    for image, mask in zip(images, masks, strict=True):
        row, column = rng.integers(3, 12), rng.integers(3, 4)
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= 9
        row, column = rng.integers(3, 12), rng.integers(9, 10)
        square = (abs(rows - row) <= 2) & (abs(columns - column) <= 2)
        mask[disc], mask[square] = 3, 7
        image[disc | square] += 0.5
    return images, masks


IMAGES, MASKS = scenes(200, 0)


@pytest.fixture(scope="module")
def fitted():
    return ae_multi.Segmenter(
        filters=(6, 12), stride=1, depth=2, epochs=20, learning_rate=5e-3
    ).fit(IMAGES, MASKS)


def test_segmenter_distinguishes_shapes_of_equal_brightness(fitted):
    images, masks = scenes(60, 1)
    predicted = fitted.predict(images)
    assert predicted.shape == masks.shape
    assert set(np.unique(predicted)) <= {0, 3, 7}
    assert fitted.score(images, masks) > 0.8
    # A threshold on brightness cannot separate discs from squares.
    assert mean_iou(np.where(images > 0.55, 3, 0), masks, np.array([0, 3, 7])) < 0.6
    probabilities = fitted.predict_proba(images)
    assert probabilities.shape == (60, 15, 13, 3)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(axis=-1)], predicted)


def test_boolean_masks_and_images_as_rows_are_accepted():
    rows, masks = IMAGES[:40].reshape(40, -1), (MASKS[:40] > 0).reshape(40, -1)
    segmenter = ae_multi.Segmenter(filters=(2,), image_shape=(15, 13), epochs=1).fit(rows, masks)
    predicted = segmenter.predict(rows)
    assert predicted.shape == rows.shape
    assert predicted.dtype == bool
    assert 0 <= segmenter.score(rows, masks) <= 1


def test_custom_model_is_accepted(keras, fitted):
    network = keras.Sequential(
        [
            keras.Input((15, 13)),
            keras.layers.Reshape((15, 13, 1)),
            keras.layers.Conv2D(3, 3, padding="same", activation="softmax"),
        ]
    )
    segmenter = ae_multi.Segmenter(network, epochs=1).fit(IMAGES[:30], MASKS[:30])
    assert segmenter.predict_proba(IMAGES).shape == (200, 15, 13, 3)
    assert not network.compiled
    with pytest.raises(ae_multi.InputError, match=r"shape \(15, 13, 2\).*shape \(15, 13, 3\)"):
        segmenter.fit(IMAGES[:30], MASKS[:30] > 0)


def test_classes_are_collected_over_chunks():
    chunks = [(IMAGES[:20], MASKS[:20].clip(0, 3)), (IMAGES[20:40], MASKS[20:40])]
    segmenter = ae_multi.Segmenter(filters=(2,), epochs=1).fit_chunks(chunks)
    assert segmenter.classes_.tolist() == [0, 3, 7]
    segmenter = ae_multi.Segmenter(filters=(2,)).partial_fit(*chunks[0], classes=[7, 0, 3])
    assert segmenter.partial_fit(*chunks[1]).classes_.tolist() == [0, 3, 7]
    segmenter = ae_multi.Segmenter(filters=(2,)).partial_fit(*chunks[0])
    with pytest.raises(ae_multi.InputError, match=r"classes \[0, 3\], .* Received: \[7\] too"):
        segmenter.partial_fit(*chunks[1])


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (IMAGES, MASKS[:199], "mask for each of the 200 images. Received: 199"),
        (IMAGES, MASKS[:, :14], r"masks of shape \(n, 15, 13\), .*Received: shape \(200, 14, 13\)"),
        (IMAGES, MASKS[:, 0, 0], r"masks of shape \(n, 15, 13\).*\(200,\)"),
        (IMAGES, MASKS + 0.5, "booleans or integers, .* float64, not all whole"),
        (IMAGES, MASKS * np.nan, "booleans or integers"),
        (IMAGES, MASKS.astype(str), "booleans or integers"),
        (IMAGES, MASKS * 0, r"at least 2 classes. Received: \[0\] alone"),
        (IMAGES, None, "requires y to be passed"),
        (IMAGES.reshape(200, -1), MASKS, "Expected images, .* set image_shape"),
        (IMAGES * np.nan, MASKS, "NaN"),
    ],
    ids=["count", "size", "labels", "halves", "nan", "text", "one class", "none", "rows", "image"],
)
def test_invalid_masks_and_images_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        ae_multi.Segmenter(filters=(2,), epochs=1).fit(x, y)


def test_mean_iou_equals_its_formula():
    a, b = np.array([[0, 1, 1, 2]]), np.array([[0, 1, 2, 2]])
    assert mean_iou(a, b, np.arange(3)) == 0.5
    assert mean_iou(a, b, np.arange(4)) == 0.5
    assert mean_iou(a * 0, b * 0, np.arange(2)) == 1
    assert as_masks(a.astype(float), 1, (2, 2)).tolist() == [[[0, 1], [1, 2]]]
