"""`RestorationNetwork`: outputs against NumPy, noise in training, restored images."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference.numpy_conv import conv, conv_transpose

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("stride", [2, 3])
def test_model_equals_numpy_in_float64(stride):
    model = ae_multi.RestorationNetwork((3, 4), 0.3, (9, 7, 2), 2, stride=stride)
    for i, weight in enumerate(model.trainable_weights):
        value = np.random.default_rng(i).normal(0, 0.4, weight.shape)
        weight.assign(value.astype(np.float32))
    x = np.random.default_rng(0).normal(0.5, 0.5, (4, 9, 7, 2)).astype(np.float32)
    weights = iter([np.array(weight) for weight in model.get_weights() if weight.ndim])

    def convolved(h, stride=1):
        return np.maximum(conv(h, next(weights), next(weights), stride), 0)

    h = convolved(np.clip(x, 0, 1).astype(np.float64), stride)
    skip = convolved(h)
    height, width = skip.shape[1:3]
    odd = [(0, 0), (0, height % 2), (0, width % 2), (0, 0)]
    padded = np.pad(skip, odd, constant_values=-np.inf)
    parts = padded.reshape(4, padded.shape[1] // 2, 2, padded.shape[2] // 2, 2, 3)
    code = convolved(parts.max(axis=(2, 4)))
    larger = conv_transpose(code, next(weights), next(weights), 2)[:, :height, :width]
    h = convolved(np.concatenate([skip, larger], axis=-1))
    h = conv_transpose(h, next(weights), next(weights), stride)[:, :9, :7]
    np.testing.assert_allclose(model.restore(x), 1 / (1 + np.exp(-h)), rtol=0, atol=2e-6)


@pytest.mark.parametrize(("shape", "stride"), [((1, 5, 2), 2), ((9, 7), 2), ((6, 5), 1)])
def test_images_of_any_size_are_accepted(shape, stride):
    x = np.random.default_rng(0).random((3, *shape), np.float32)
    model = ae_multi.RestorationNetwork((2, 3, 4), 0.1, shape, stride=stride)
    assert model.restore(x).shape == x.shape
    unbounded = ae_multi.RestorationNetwork((2, 3), 0.1, shape, value_range=None, stride=stride)
    assert unbounded.restore(100 * x).min() < 0


def stripes(count):
    """Return images (count, 12, 12, 1) of horizontal or vertical stripes."""
    rng = np.random.default_rng(count)
    line = np.repeat(rng.integers(0, 2, (count, 6)), 2, axis=1)
    images = np.broadcast_to(line[:, :, None], (count, 12, 12)).copy()
    images[::2] = images[::2].transpose(0, 2, 1)
    return images[..., None].astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.5, 0])
def test_model_learns_from_clean_images_or_pairs_and_loads_unchanged(keras, tmp_path, noise):
    x, clean = stripes(256), stripes(64)
    rng = np.random.default_rng(1)
    damaged, noisy = (images + rng.normal(0, 0.5, images.shape) for images in (x, clean))
    model = ae_multi.RestorationNetwork((8, 16), noise, (12, 12, 1))
    model.compile(keras.optimizers.Adam(0.01))
    pairs = (x,) if noise else (damaged, x)
    history = model.fit(*pairs, batch_size=16, epochs=10, verbose=0)
    assert history.plan.name not in ("keras", "eager"), history.plan.why
    restored = model.restore(noisy)
    assert np.mean((restored - clean) ** 2) < 0.03 < 0.2 * np.mean((noisy - clean) ** 2)
    model.save(tmp_path / "model.keras")
    again = ae_multi.load_model(tmp_path / "model.keras")
    assert again.get_config() == model.get_config()
    np.testing.assert_array_equal(again.restore(noisy), restored)
    assert again.loss == "binary_crossentropy"


def test_training_adds_other_noise_in_each_step(keras):
    x = stripes(32)
    model = ae_multi.RestorationNetwork((2, 2), 0.4, (12, 12, 1), seed=3)
    seen = keras.Model(model.network.inputs, model.network.get_layer("cut_off").output)
    images = keras.ops.convert_to_tensor(x)
    first, second = (keras.ops.convert_to_numpy(seen(images, training=True)) for _ in range(2))
    for noisy in (first, second):
        assert noisy.min() == 0
        assert noisy.max() == 1
        inside = np.abs(noisy - x)[(noisy > 0) & (noisy < 1)]
        # Clipping leaves noise of one sign between 0 and 1, which is 2.5 σ. Its root mean square is
        # σ √(1 - 2.5 φ(2.5) / (Φ(2.5) - 1/2)).
        assert np.sqrt(np.mean(inside**2)) == pytest.approx(0.382, abs=0.02)
    assert np.abs(first - second).mean() > 0.1
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(seen(images)), x)


def test_values_out_of_range_are_refused():
    x = stripes(8)
    model = ae_multi.RestorationNetwork((2, 2), 0.4, (12, 12, 1))
    model.compile()
    model.restore(x + 3)  # noisy values may be out of range
    for method in (model.fit, model.evaluate):
        with pytest.raises(InputError, match=r"clean images within \[0, 1\]"):
            method(x, 2 * x)
    with pytest.raises(InputError, match="within"):
        model.restore(255 * x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (20,)}, r"height, width.* Received: \(20,\)"),
        ({"filters": ()}, "filters"),
        ({"noise": -1}, "noise .*Received: -1"),
        ({"stride": 0}, "stride .*Received: 0"),
        ({"value_range": (-1, 1)}, r"\(0, 1\) or None. Received: \(-1, 1\)"),
    ],
    ids=range(5),
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.RestorationNetwork(**arguments)
