"""Initial weights of any model from a seed, which are equal on all backends."""

import hashlib
import inspect
import math

import numpy as np
import pytest

pytestmark = pytest.mark.backend


def test_kernels_of_einsum_dense_have_the_deviation_of_keras(keras):
    def build_layer():
        layer = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 20, 30))
        layer.build((None, 4, 500))
        return layer

    from ae_multi.randomness import redraw

    seeded, unseeded = build_layer(), build_layer()
    redraw(seeded, 0)
    deviations = [np.std(keras.ops.convert_to_numpy(each.kernel)) for each in (seeded, unseeded)]
    assert deviations[0] == pytest.approx(deviations[1], rel=0.01)  # 500 inputs and 600 outputs


def build(keras):
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            keras.layers.Conv2D(4, 3, kernel_initializer="he_normal", bias_initializer="ones"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.Sequential([keras.layers.Dense(5) for _ in range(3)]),
        ]
    )


def test_redraw_initializes_any_model_from_a_seed(keras):
    from ae_multi.randomness import redraw

    first, second = build(keras), build(keras)
    redraw(first, 3)
    redraw(second, 3)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [w for w in first.get_weights() if w.ndim > 1]
    assert len(kernels) == 4
    assert np.std(kernels[0]) == pytest.approx(math.sqrt(2 / 18), rel=0.2)  # of He's initializer
    assert not np.array_equal(kernels[2], kernels[3])  # two layers of the same shape
    np.testing.assert_array_equal(first.layers[0].get_weights()[1], 1)  # bias_initializer="ones"
    redraw(second, 4)
    assert not np.array_equal(second.get_weights()[0], first.get_weights()[0])


def custom_layer(keras, **methods):
    """Return the class of a custom layer with a random weight, and further methods."""

    def build(self, input_shape):
        self.w = self.add_weight((3, 3), "glorot_uniform", name="w")
        self.b = self.add_weight((3,), "zeros")

    def call(self, x):
        return x @ self.w + self.b

    return type("Custom", (keras.layers.Layer,), {"build": build, "call": call, **methods})


def weights_of_seed(keras, layer, seed):
    from ae_multi.randomness import redraw

    model = keras.Sequential([keras.Input((3,)), layer])
    redraw(model, seed)
    return model.get_weights()


def test_redraw_uses_the_initializer_of_a_custom_layer(keras):
    from ae_multi.randomness import Seeded

    first, second = (weights_of_seed(keras, custom_layer(keras)(), 2) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], 0)
    np.testing.assert_array_equal(
        first[0], keras.ops.convert_to_numpy(Seeded("glorot_uniform", 2, "0/w")((3, 3)))
    )


def test_redraw_refuses_a_weight_whose_initializer_cannot_be_found(keras):
    from ae_multi.errors import InputError

    def init(self, function):
        keras.layers.Layer.__init__(self, name="hidden")

    hidden = custom_layer(keras, __init__=init)
    with pytest.raises(InputError, match=r"'hidden' \(Custom\).*'w'.*w_initializer"):
        weights_of_seed(keras, hidden(print), 0)

    def init_with_initializer(self, function):
        init(self, function)
        self.w_initializer = "glorot_uniform"

    declared = custom_layer(keras, __init__=init_with_initializer)
    first, second = (weights_of_seed(keras, declared(print), 2)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


# Layers of Keras with weights, among those of the sweep.
WITH_WEIGHTS = (
    "Attention", "AdditiveAttention", "BatchNormalization", "Bidirectional", "Conv1D",
    "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose",
    "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Dense", "DepthwiseConv1D", "DepthwiseConv2D",
    "EinsumDense", "Embedding", "GRU", "GRUCell", "GroupNormalization",
    "GroupQueryAttention", "LSTM", "LSTMCell", "LayerNormalization", "MultiHeadAttention",
    "PReLU", "RMSNormalization", "RNN", "ReversibleEmbedding", "SeparableConv1D",
    "SeparableConv2D", "SimpleRNN", "SimpleRNNCell", "SpectralNormalization",
    "StackedRNNCells", "TimeDistributed",
)  # fmt: skip

# SHA-256 of the weights of these layers for seed 7.
DIGEST = "fe743e79c98ed973914173ba0d5396701f578bb8077113f304ec6d8ed72f1230"


@pytest.mark.slow
def test_every_keras_layer_has_the_same_weights_on_each_backend(keras):
    from ae_multi.randomness import redraw
    from tests.robustness.sweep.branch import build as model_of
    from tests.robustness.sweep.catalogue import DRAWS, Draw

    digest = hashlib.sha256()
    for name in WITH_WEIGHTS:
        model = model_of(DRAWS[name](Draw(name, 0, 0))[0])
        before = model.get_weights()
        redraw(model, 7)
        for variable, old in zip(model.weights, before, strict=True):
            new = keras.ops.convert_to_numpy(variable)
            fixed = np.isin(new, (0, 1)).all()
            assert np.array_equal(new, old) == fixed, variable.path
            digest.update(new.tobytes())
    assert digest.hexdigest() == DIGEST


def test_every_keras_layer_with_weights_is_tested(keras):
    from tests.robustness.sweep.catalogue import DRAWS, EXCEPTIONS
    from tests.robustness.sweep.families import preprocessing

    aliases = {name for name in DRAWS if name in preprocessing.DRAWS}
    for name in sorted(set(DRAWS) - set(WITH_WEIGHTS) - aliases):
        layer = getattr(keras.layers, name)
        assert "add_weight" not in inspect.getsource(inspect.getmodule(layer)), name
    assert not set(WITH_WEIGHTS) & set(EXCEPTIONS)


def test_seed_initializes_recurrent_autoencoders(keras):
    import ae_multi

    def model():
        layers = keras.layers
        encoder = keras.Sequential([keras.Input((5, 3)), layers.Bidirectional(layers.LSTM(4))])
        decoder = keras.Sequential(
            [
                keras.Input((8,)),
                layers.RepeatVector(5),
                layers.GRU(4, return_sequences=True),
                layers.TimeDistributed(layers.Dense(3)),
            ]
        )
        return ae_multi.Autoencoder(encoder, decoder, seed=0)

    first, second = model(), model()
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    forget = first.get_weights()[2]
    np.testing.assert_array_equal(forget, np.repeat([0, 1, 0, 0], 4))
    recurrent = first.get_weights()[1].astype(np.float64)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(4), atol=1e-6)


def test_random_bias_is_drawn_and_forget_bias_is_one(keras):
    from ae_multi.randomness import redraw

    def biases(seed):
        model = keras.Sequential(
            [keras.Input((5, 3)), keras.layers.LSTM(4, bias_initializer="random_normal")]
        )
        redraw(model, seed)
        return model.get_weights()[2]

    np.testing.assert_array_equal(biases(0), biases(0))
    np.testing.assert_array_equal(biases(0)[4:8], 1)
    assert not np.intersect1d(biases(0)[:4], biases(1)).size


def test_seed_initializes_nested_autoencoders(keras):
    import ae_multi

    def model():
        layers = keras.layers
        encoder = keras.Sequential(
            [keras.Input((3, 5, 2)), layers.ConvLSTM1D(2, 3, padding="same"), layers.Flatten()]
        )
        decoder = keras.Sequential([keras.Input((10,)), layers.Dense(4)])
        inner = ae_multi.Autoencoder(encoder, decoder, seed=1)
        outer = keras.Sequential([keras.Input((3, 5, 2)), inner])
        decoder = keras.Sequential([keras.Input((4,)), layers.Dense(30), layers.Reshape((3, 5, 2))])
        return ae_multi.Autoencoder(outer, decoder, seed=2)

    for a, b in zip(model().get_weights(), model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
