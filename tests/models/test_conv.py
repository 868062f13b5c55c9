"""`ConvAutoencoder`: images of any size, and outputs against NumPy."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference.numpy_conv import conv, conv_transpose

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("shape", [(28, 28, 1), (28, 28), (9, 7, 3), (1, 5, 2)])
def test_images_of_any_size_and_channels_are_accepted(shape):
    x = np.random.default_rng(0).random((6, *shape), np.float32)
    model = ae_multi.ConvAutoencoder((4, 6, 5), 3, shape)
    assert model.encode(x).shape == (6, 3)
    assert model.reconstruct(x).shape == x.shape


def test_model_equals_numpy_in_float64():
    model = ae_multi.ConvAutoencoder((4, 6), 3, (7, 10, 2), seed=5)
    for weight in model.weights:  # nonzero biases, so that their addition is tested
        value = np.random.default_rng(weight.shape[-1]).normal(0, 0.2, weight.shape)
        weight.assign(value.astype(np.float32))
    x = np.random.default_rng(0).random((5, 7, 10, 2), np.float32)

    def relu(z):
        return np.maximum(z, 0)

    pairs = iter(model.get_weights())
    down = [(next(pairs), next(pairs)) for _ in range(6)]
    h = relu(conv(x.astype(np.float64), *down[0], 2))
    h = relu(conv(h, *down[1], 2))
    code = h.reshape(5, -1) @ down[2][0].astype(np.float64) + down[2][1]
    h = relu(code @ down[3][0].astype(np.float64) + down[3][1]).reshape(5, 2, 3, 6)
    h = relu(conv_transpose(h, *down[4], 2))[:, :, :5]
    out = 1 / (1 + np.exp(-conv_transpose(h, *down[5], 2)[:, :7]))
    np.testing.assert_allclose(model.encode(x), code, rtol=0, atol=1e-6 * abs(code).max())
    np.testing.assert_allclose(model.reconstruct(x), out, rtol=0, atol=1e-6)


def test_loaded_model_has_the_same_outputs(tmp_path):
    model = ae_multi.ConvAutoencoder((4,), 3, (9, 7), seed=2)
    x = np.random.default_rng(0).random((6, 9, 7), np.float32)
    model.save(tmp_path / "conv.keras")
    loaded = ae_multi.load_model(tmp_path / "conv.keras")
    assert loaded.filters == (4,)
    np.testing.assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))


def test_invalid_arguments_are_refused():
    with pytest.raises(InputError, match=r"height, width.* Received: \(20,\)"):
        ae_multi.ConvAutoencoder(input_shape=(20,))
    with pytest.raises(InputError, match="filters"):
        ae_multi.ConvAutoencoder(filters=())
