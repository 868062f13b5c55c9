"""Configurations from which Keras alone builds a model."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture
def configured(keras):
    """Function of (layers, optimizer, loss) that returns the config of the model, or None."""
    from ae_multi.parity.repro_data import keras_config

    def make(stack, optimizer="adam", loss="mse"):
        model = keras.Sequential([keras.Input((4,)), *stack])
        model.compile(optimizer, loss)
        return keras_config(model)

    return make


def test_config_of_a_keras_model_restores_it_compiled(keras, configured):
    stack = [keras.layers.Dense(4, activation="relu", kernel_regularizer="l2")]
    config = configured(stack, keras.optimizers.Adam(0.02, beta_1=0.8), keras.losses.Huber(0.2))
    assert "keras.src.backend" not in json.dumps(config)
    model = keras.saving.deserialize_keras_object(config)
    assert model.optimizer.beta_1 == 0.8
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    assert np.isfinite(model.train_on_batch(np.ones((2, 4)), np.zeros((2, 4))))


def test_model_with_custom_objects_has_no_config(keras, configured):
    class Mine(keras.layers.Dense):
        pass

    def mine(y, found):
        return keras.ops.mean(keras.ops.abs(y - found), axis=-1)

    dense = keras.layers.Dense(4)
    assert configured([dense])
    assert configured([dense, keras.layers.Lambda(lambda x: 2 * x)]) is None
    assert configured([dense, Mine(4)]) is None
    assert configured([keras.layers.Dense(4, activation=mine)]) is None
    assert configured([dense], loss=mine) is None
