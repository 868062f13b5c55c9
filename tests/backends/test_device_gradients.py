"""Gradients of each backend against closed formulas."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).random((5, 4), np.float32)


def gradients(keras, model):
    """(loss, gradients) of a compiled model with the target `X`."""
    from ae_multi import backends

    x = keras.ops.convert_to_tensor(X)

    def loss():
        return model.compute_loss(x=x, y=x, y_pred=model(x, training=True), training=True)

    return backends.current().gradients(loss, model.trainable_variables)


def test_gradients_include_losses_added_by_layers(keras):
    layer = keras.layers.Dense(
        4,
        use_bias=False,
        kernel_regularizer=keras.regularizers.L2(0.5),
        activity_regularizer=keras.regularizers.L2(2.0),
    )
    model = keras.Sequential([keras.Input((4,)), layer])
    model.compile(loss="mse")
    value, (found,) = gradients(keras, model)
    x, kernel = np.float64(X), np.float64(model.get_weights()[0])
    y = x @ kernel
    penalties = 0.5 * np.sum(kernel**2) + 2.0 * np.sum(y**2) / len(x)
    assert value == pytest.approx(np.mean((y - x) ** 2) + penalties, rel=1e-5)
    exact = x.T @ (2 * (y - x) / y.size + 4.0 * y / len(x)) + kernel
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-6)


def test_model_without_variables_has_no_gradients(keras):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(3.0)])
    model.compile(loss="mse")
    value, found = gradients(keras, model)
    assert value == pytest.approx(4 * np.mean(np.float64(X) ** 2), rel=1e-5)
    assert found == []
