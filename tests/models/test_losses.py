"""`StructuralSimilarity` and `PixelCrossEntropy` against NumPy in float64."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from ae_multi.models import PixelCrossEntropy, StructuralSimilarity, ssim
from tests.reference import numpy_ssim

pytestmark = pytest.mark.backend


def image_pair(shape, scale=1.0):
    rng = np.random.default_rng(0)
    x = rng.random(shape, np.float32)
    y = np.clip(0.7 * x + 0.4 * rng.random(shape, np.float32), 0, 1)
    return np.float32(scale) * x, np.float32(scale) * y.astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((3, 14, 13, 2), {}),
        ((3, 12, 15), {"value_range": 255.0}),
        ((2, 5, 20, 1), {}),
        ((2, 1, 3, 1), {"size": 4, "sigma": 0.8}),
    ],
    ids=["two channels", "no channels", "lower than the window", "tiny"],
)
def test_ssim_equals_numpy(keras, shape, arguments):
    x, y = image_pair(shape, arguments.get("value_range", 1.0))
    channels = (1,) if len(shape) == 3 else shape[3:]
    planes = [each.reshape(*shape[:3], *channels) for each in (x, y)]
    expected = [
        np.mean(
            [
                numpy_ssim.ssim(planes[0][i, ..., c], planes[1][i, ..., c], **arguments)
                for c in range(channels[0])
            ]
        )
        for i in range(shape[0])
    ]
    assert 0.1 < min(expected) < 0.99
    found = keras.ops.convert_to_numpy(ssim(x, y, **arguments))
    np.testing.assert_allclose(found, expected, atol=2e-5)
    loss = StructuralSimilarity(**arguments)(x, y)
    assert float(keras.ops.convert_to_numpy(loss)) == pytest.approx(1 - np.mean(expected), abs=2e-5)


def test_ssim_loss_is_zero_for_equal_images(keras):
    x, _ = image_pair((4, 16, 16, 1))
    loss = StructuralSimilarity()
    assert float(keras.ops.convert_to_numpy(loss(x, x))) == pytest.approx(0, abs=1e-6)
    assert float(keras.ops.convert_to_numpy(loss(x, 1 - x))) > 1


def test_model_with_ssim_trains_and_loads_with_its_loss(small, tmp_path):
    model = ae_multi.SimpleAutoencoder(8, (8, 8, 1))
    model.compile(loss=StructuralSimilarity(size=7))
    weights = np.linspace(0, 2, 64, dtype=np.float32)
    out = model.reconstruct(small[:64])
    each = [1 - numpy_ssim.ssim(a[..., 0], b[..., 0], size=7) for a, b in zip(small, out)]  # noqa: B905
    found = model.evaluate(small[:64], sample_weight=weights, batch_size=64, verbose=0)
    assert found == pytest.approx(np.mean(weights * each), rel=1e-4)
    history = model.fit(small[:64], epochs=4, verbose=0)
    assert history.plan.name not in ("keras", "eager")
    assert history.history["loss"][-1] < history.history["loss"][0]
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == model.loss.get_config()
    assert again.loss.size == 7


def test_pixel_cross_entropy_equals_numpy(keras):
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), (2, 4, 5)).astype(np.float32)
    classes = rng.integers(0, 3, (2, 4, 5))
    expected = -np.log(np.take_along_axis(p.astype(np.float64), classes[..., None], -1)).mean()
    for labels in (classes, classes[..., None], classes[..., None].astype(np.float32)):
        loss = keras.ops.convert_to_numpy(PixelCrossEntropy()(labels, p))
        assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value_range": 0}, "value_range to be a number above 0. Received: 0"),
        ({"size": 0}, "size to be an integer above 0. Received: 0"),
        ({"size": 2.5}, "size .*Received: 2.5"),
        ({"sigma": -1}, "sigma .*Received: -1"),
    ],
    ids=range(4),
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        StructuralSimilarity(**arguments)
    with pytest.raises(InputError, match=r"images of one shape.*\(4, 5\)"):
        ssim(np.zeros((4, 5), np.float32), np.zeros((4, 5), np.float32))
