"""Layers that are random in inference draw the same numbers as in Keras."""

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


def sampling(keras):
    """A dropout layer that is active in inference."""

    class Sampling(keras.layers.Dropout):
        def call(self, inputs, training=None):
            return super().call(inputs, training=True)

    return Sampling(0.5, seed=1)


def model_of(keras, **kwargs):
    model = keras.Sequential([keras.Input((12,)), sampling(keras), keras.layers.Flatten()])
    model.compile("sgd", "mse", **kwargs)
    return model


def seeds(model):
    return [np.array(v) for v in model.non_trainable_variables]


@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_predict_draws_the_numbers_of_keras(keras, backend, x, jit_compile):
    if backend == "torch" and jit_compile is True:
        pytest.skip("Keras would compile by Inductor")
    ours = model_of(keras, jit_compile=jit_compile)
    theirs = model_of(keras, jit_compile=jit_compile)
    before = None
    for _ in range(3):
        found = ae_multi.predict(ours, x, 4)  # enough batches for threads and recordings
        np.testing.assert_array_equal(found, theirs.predict(x, batch_size=4, verbose=0))
        np.testing.assert_array_equal(seeds(ours), seeds(theirs))
        assert before is None or (found != before).any()
        assert ((found[:4] == 0) != (found[4:8] == 0)).any()
        before = found


def test_evaluate_draws_the_numbers_of_keras(keras, x):
    ours, theirs = model_of(keras), model_of(keras)
    for _ in range(2):
        found = ae_multi.evaluate(ours, x, x, 16, verbose=0)
        expected = theirs.evaluate(x, x, batch_size=16, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=2e-6)
        np.testing.assert_array_equal(seeds(ours), seeds(theirs))


def test_autoencoder_methods_draw_the_numbers_of_keras(keras, x):
    def parts():
        encoder = keras.Sequential([keras.Input((12,)), sampling(keras)])
        decoder = keras.Sequential([keras.Input((12,)), keras.layers.Rescaling(2.0)])
        return ae_multi.Autoencoder(encoder, decoder)

    ours, theirs = parts(), parts()
    for call in (ours.encode, ours.reconstruct, ours.predict):
        found = call(x, batch_size=4)
        by_keras = theirs.encoder if call == ours.encode else theirs
        expected = keras.Model.predict(by_keras, x, batch_size=4, verbose=0)
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(seeds(ours), seeds(theirs))
