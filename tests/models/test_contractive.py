"""`ContractiveAutoencoder`: its Jacobian against numerical differentiation in float64."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend

ACTIVATIONS = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "linear": lambda z: z,
}


def numpy_encode(weights, activations, x):
    for kernel, bias, activation in zip(weights[::2], weights[1::2], activations, strict=True):
        x = ACTIVATIONS[activation](x @ kernel.astype(np.float64) + bias.astype(np.float64))
    return x


def numerical_squared_jacobian(weights, activations, x, step=1e-6):
    """Return ||J||²_F of each sample, by central differences."""
    x = x.reshape(len(x), -1).astype(np.float64)
    total = np.zeros(len(x))
    for shift in step * np.eye(x.shape[1]):
        ends = [numpy_encode(weights, activations, x + sign * shift) for sign in (1, -1)]
        total += (((ends[0] - ends[1]) / (2 * step)) ** 2).sum(axis=1)
    return total


def with_large_weights(model):
    """Assign weights so large that the Jacobian differs between samples; return the model."""
    for i, weight in enumerate(model.encoder.weights):
        weight.assign(np.random.default_rng(i).normal(0, 0.6, weight.shape).astype(np.float32))
    return model


def custom_parts(keras, sizes, activations):
    dense = keras.layers.Dense
    encoder = keras.Sequential(
        [
            keras.Input((3, 4)),
            keras.layers.Flatten(),
            *(dense(size, activation) for size, activation in zip(sizes, activations, strict=True)),
        ]
    )
    decoder = keras.Sequential([keras.Input(sizes[-1:]), dense(12), keras.layers.Reshape((3, 4))])
    return {"encoder": encoder, "decoder": decoder}


@pytest.mark.parametrize(
    "activations",
    [("sigmoid",), ("elu", "linear"), ("tanh", "relu", "sigmoid", "tanh")],
)
def test_jacobian_equals_numerical_differentiation(keras, activations):
    x = np.random.default_rng(0).normal(0, 1, (9, 3, 4)).astype(np.float32)
    parts = custom_parts(keras, (7, 6, 5, 4)[: len(activations)], activations)
    model = with_large_weights(ae_multi.ContractiveAutoencoder(**parts))
    expected = numerical_squared_jacobian(model.encoder.get_weights(), activations, x)
    assert expected.std() > 0.1 * expected.mean()
    np.testing.assert_allclose(model.squared_jacobian(x), expected, rtol=2e-5)


def test_loss_equals_numpy(small):
    model = ae_multi.ContractiveAutoencoder(3.0, (9,), 5, (8, 8, 1))
    with_large_weights(model).compile()
    jacobian = numerical_squared_jacobian(model.encoder.get_weights(), ("relu", "sigmoid"), small)
    mse = np.mean((model.reconstruct(small).astype(np.float64) - small) ** 2)
    expected = mse + 3 / 64 * jacobian.mean()
    assert model.evaluate(small, batch_size=70, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_penalty_shrinks_the_jacobian(keras, small):
    x = small[:64]
    model = with_large_weights(ae_multi.ContractiveAutoencoder(30.0, (9,), 5, (8, 8, 1)))
    model.compile(keras.optimizers.Adam(0.01))
    before = model.squared_jacobian(x).mean()
    model.fit(x, epochs=40, batch_size=64, verbose=0)
    assert model.squared_jacobian(x).mean() < 0.2 * before


def test_unsupported_encoders_are_refused(keras):
    parts = custom_parts(keras, (3,), ("gelu",))
    with pytest.raises(InputError, match=r"Dense layers .*Received: 'dense.*activation gelu"):
        ae_multi.ContractiveAutoencoder(**parts)
    parts["encoder"] = keras.Sequential([keras.Input((3, 4)), keras.layers.LSTM(3)])
    with pytest.raises(InputError, match=r"Received: 'lstm.*LSTM"):
        ae_multi.ContractiveAutoencoder(**parts)
    parts["encoder"] = keras.Sequential([keras.Input((3, 4)), keras.layers.Flatten()])
    with pytest.raises(InputError, match="one without"):
        ae_multi.ContractiveAutoencoder(**parts)
    with pytest.raises(InputError, match="strength"):
        ae_multi.ContractiveAutoencoder(-0.1)
