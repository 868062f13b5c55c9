"""Layer calls and random bits that the hooks record, the same on every backend."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture
def recorded_names(keras):
    """Function of (model, inputs) that returns the names of the recorded layers, in order."""
    from ae_multi.parity.layer_hooks import watched_layers

    def names(model, x):
        with watched_layers() as (calls, _):
            model(x)
        return [call.layer.name for call in calls]

    return names


def test_inner_layers_are_recorded_first(keras, recorded_names):
    inner = keras.Sequential([keras.layers.Dense(3, name="dense")], name="inner")
    model = keras.Sequential([keras.Input((2,)), inner], name="outer")
    assert recorded_names(model, np.ones((4, 2), np.float32)) == ["dense", "inner", "outer"]


def test_layers_inside_recurrent_loops_are_not_recorded(keras, recorded_names):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((5, 3)),
            layers.LSTM(4, return_sequences=True, name="read"),
            layers.Bidirectional(layers.GRU(2, name="way"), name="both"),
        ],
        name="model",
    )
    found = recorded_names(model, np.ones((2, 5, 3), np.float32))
    assert found == ["read", "forward_way", "backward_way", "both", "model"]


def test_layers_inside_a_scan_are_not_recorded(keras, recorded_names):
    class Cumulative(keras.layers.Layer):
        def build(self, shape):
            self.dense = keras.layers.Dense(shape[-1], name="inside")
            self.dense.build((shape[0], shape[-1]))

        def call(self, x):
            def step(carry, part):
                carry = self.dense(carry + part)
                return carry, carry

            return keras.ops.scan(step, x[:, 0], keras.ops.transpose(x, (1, 0, 2)))[1]

    model = keras.Sequential([keras.Input((5, 3)), Cumulative(name="loop")], name="model")
    assert recorded_names(model, np.ones((2, 5, 3), np.float32)) == ["loop", "model"]


def test_random_bits_are_recorded_with_their_layer(keras):
    from ae_multi.parity.layer_hooks import watched_layers
    from ae_multi.randomness import noise
    from ae_multi.randomness.layers import GaussianNoise

    inner = keras.Sequential([GaussianNoise(0.1, seed=3, name="noisy")], name="inner")
    model = keras.Sequential([keras.Input((2,)), inner], name="outer")
    with watched_layers() as (_, draws):
        model(np.ones((4, 2), np.float32), training=True)
    ((layer, bits),) = draws
    assert layer.name == "noisy"
    expected = keras.ops.convert_to_numpy(noise.bits((4, 2), 3, 0, "gaussian"))
    np.testing.assert_array_equal(bits, expected)
    assert bits.dtype == np.int32
    with watched_layers() as (_, draws):
        model(np.ones((4, 2), np.float32))
    assert draws == []


def test_hooks_are_removed_after_an_error(keras, recorded_names):
    from ae_multi._keras_internals import control_flow_functions
    from ae_multi.parity.layer_hooks import watched_layers

    before = keras.Layer.__call__
    functions = [getattr(*place) for place in control_flow_functions()]
    with pytest.raises(RuntimeError, match="after"), watched_layers():
        raise RuntimeError("before" if keras.Layer.__call__ is before else "after")
    assert keras.Layer.__call__ is before
    assert [getattr(*place) for place in control_flow_functions()] == functions
