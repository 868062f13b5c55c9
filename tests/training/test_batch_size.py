"""Default batch sizes of `predict`."""

import numpy as np
import pytest

import ae_multi

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).random((70, 6), np.float32)


def centered(keras):
    """A custom layer whose output depends on the whole batch."""

    class Centered(keras.layers.Layer):
        def call(self, x):
            return x - keras.ops.mean(x, axis=0)

    return keras.Sequential([keras.Input((6,)), Centered()])


def operations(keras):
    """A model with the same outputs, by operations between layers."""
    inputs = keras.Input((6,))
    return keras.Model(inputs, inputs - keras.ops.mean(inputs, axis=0, keepdims=True))


@pytest.mark.parametrize("make", [centered, operations])
def test_batch_dependent_models_use_the_batch_size_of_keras(keras, make):
    model = make(keras)
    expected = keras.Model.predict(model, X, verbose=0)
    np.testing.assert_allclose(ae_multi.predict(model, X), expected, rtol=1e-5, atol=1e-6)
    assert np.abs(ae_multi.predict(model, X, batch_size=70) - expected).max() > 1e-3


def test_fixed_batch_size_of_a_model_is_used(keras):
    inputs = keras.Input(batch_shape=(14, 6))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.ops.reshape(inputs, (14, 6))))
    expected = keras.Model.predict(model, X, 14, verbose=0)
    np.testing.assert_allclose(ae_multi.predict(model, X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.once
def test_models_of_keras_layers_use_large_batches(keras):
    from ae_multi.training.batch_size import default_batch_size

    inputs = keras.Input((6,))
    hidden = keras.layers.Dropout(0.5)(keras.layers.Dense(6)(inputs))
    assert default_batch_size(keras.Model(inputs, inputs + hidden), X) == 4096
    assert default_batch_size(ae_multi.SimpleAutoencoder(2, (6,)), X) == 4096


def test_models_with_wide_layers_use_smaller_batches(keras):
    from ae_multi.training.batch_size import default_batch_size

    layers = keras.layers
    narrow = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    x = np.zeros((1, 8), np.float32)
    assert default_batch_size(narrow, x) == 4096
    wide = keras.Sequential([keras.Input((8,)), layers.Dense(2**14), layers.Dense(3)])
    assert default_batch_size(wide, x) == 128
    assert default_batch_size(narrow, np.zeros((1, 2**20), np.float32)) == 32
