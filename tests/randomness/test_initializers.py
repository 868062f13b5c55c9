"""Initial weights: Keras's distributions, the project's numbers."""

import hashlib
import inspect
import math

import numpy as np
import pytest

pytestmark = pytest.mark.backend


def drawn(keras, initializer, shape=(300, 200), seed=0, name="w"):
    from ae_multi.randomness import Seeded

    return keras.ops.convert_to_numpy(Seeded(initializer, seed, name)(shape))


def test_glorot_uniform_equals_its_formula(keras):
    from ae_multi.randomness.streams import uniform

    weights = drawn(keras, "glorot_uniform", (784, 32), seed=5, name="code")
    limit = math.sqrt(6 / (784 + 32))
    exact = limit * (2 * uniform(5, "weights/code", (784, 32)).astype(np.float64) - 1)
    assert weights.dtype == np.float32
    # One rounding of the limit and one of the product: at most one unit in the last place.
    np.testing.assert_allclose(weights, exact, rtol=2**-23, atol=0)


@pytest.mark.parametrize(
    "name",
    [
        *(f"{name}_{kind}" for name in ("glorot", "he", "lecun") for kind in ("uniform", "normal")),
        *("random_uniform", "random_normal", "truncated_normal"),
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (3, 3, 40, 50), (5000,)])
def test_distributions_are_those_of_keras(keras, name, shape):
    from scipy import stats

    ours = drawn(keras, name, shape)
    theirs = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(seed=1)(shape))
    assert ours.shape == shape
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.001


def test_no_backend_generator_is_asked(keras, monkeypatch):
    import ae_multi

    def refuse(*args, **kwargs):
        raise AssertionError("a backend's generator was asked for numbers")

    for name in ("draw_seed", "uniform", "normal", "truncated_normal", "randint", "shuffle"):
        if hasattr(keras.src.backend.random, name):
            monkeypatch.setattr(keras.src.backend.random, name, refuse)
    with pytest.raises(AssertionError, match="generator was asked"):
        keras.initializers.GlorotUniform(0)((2, 2))
    model = ae_multi.DeepAutoencoder((8,), 3, 20)
    model.compile()
    model.fit(np.zeros((50, 20), np.float32), verbose=0)


def test_orthogonal_is_orthogonal(keras):
    for shape in ((40, 30), (30, 40)):
        q = drawn(keras, keras.initializers.Orthogonal(gain=2.0), shape)
        small = q.T @ q if shape[0] > shape[1] else q @ q.T
        np.testing.assert_allclose(small, 4 * np.eye(30), atol=1e-5)


def test_constants_are_left_to_keras(keras):
    np.testing.assert_array_equal(drawn(keras, keras.initializers.Constant(2.5)), 2.5)
    np.testing.assert_array_equal(drawn(keras, "zeros"), 0)


def test_seed_and_name_tell_weights_apart(keras):
    a = drawn(keras, "glorot_uniform")
    np.testing.assert_array_equal(a, drawn(keras, "glorot_uniform"))
    assert (a != drawn(keras, "glorot_uniform", seed=1)).mean() > 0.99
    assert (a != drawn(keras, "glorot_uniform", name="v")).mean() > 0.99


def test_a_layer_with_it_is_saved_and_loaded(keras):
    from ae_multi.randomness import Seeded

    layer = keras.layers.Dense(3, kernel_initializer=Seeded("he_normal", 4, "here"))
    again = keras.layers.Dense.from_config(layer.get_config())
    layer.build((None, 5))
    again.build((None, 5))
    np.testing.assert_array_equal(layer.get_weights()[0], again.get_weights()[0])


def test_an_initializer_of_the_users_own_draws_from_the_seed(keras):
    class Shifted(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            half = keras.random.uniform(shape, 1.0, 3.0, dtype=dtype, seed=4)
            return half + keras.initializers.Ones()(shape, dtype)

    class Doubled(keras.initializers.RandomNormal):
        def __call__(self, shape, dtype=None):
            return 2 * super().__call__(shape, dtype)

    values = drawn(keras, Shifted())
    assert 2 <= values.min() < 2.01
    assert 3.99 < values.max() < 4
    np.testing.assert_array_equal(values, drawn(keras, Shifted()))
    assert not np.array_equal(values, drawn(keras, Shifted(), seed=1))
    assert np.std(drawn(keras, Doubled(stddev=0.5))) == pytest.approx(1, rel=0.02)


def test_numbers_from_elsewhere_are_refused(keras):
    from ae_multi.errors import InputError

    class Odd(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.ops.convert_to_tensor(np.random.default_rng().random(shape), dtype=dtype)

    class Gamma(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.random.gamma(shape, 1.0, seed=1)

    with pytest.raises(InputError, match="Received: Odd, for 'weights/w', whose values differ"):
        drawn(keras, Odd())
    with pytest.raises(InputError, match=r"Received: one that calls keras\.random\.gamma"):
        drawn(keras, Gamma())


def test_kernels_of_einsum_dense_have_the_spread_of_keras(keras):
    def layer():
        made = keras.layers.EinsumDense("abc,cde->abde", output_shape=(None, 20, 30))
        made.build((None, 4, 500))
        return made

    from ae_multi.randomness import redraw

    ours, theirs = layer(), layer()
    redraw(ours, 0)
    spread = [np.std(keras.ops.convert_to_numpy(each.kernel)) for each in (ours, theirs)]
    assert spread[0] == pytest.approx(spread[1], rel=0.01)  # 500 inputs and 600 outputs


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


def test_redraw_gives_any_model_the_start_of_a_seed(keras):
    from ae_multi.randomness import redraw

    first, second = build(keras), build(keras)
    redraw(first, 3)
    redraw(second, 3)
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kernels = [w for w in first.get_weights() if w.ndim > 1]
    assert len(kernels) == 4
    assert np.std(kernels[0]) == pytest.approx(math.sqrt(2 / 18), rel=0.2)  # still He's
    assert not np.array_equal(kernels[2], kernels[3])  # two layers of one shape
    np.testing.assert_array_equal(first.layers[0].get_weights()[1], 1)  # the biases of ones
    redraw(second, 4)
    assert not np.array_equal(second.get_weights()[0], first.get_weights()[0])


def own_layer(keras, **methods):
    """A layer with a random weight of the user's own, and further methods."""

    def build(self, input_shape):
        self.w = self.add_weight((3, 3), "glorot_uniform", name="w")
        self.b = self.add_weight((3,), "zeros")

    def call(self, x):
        return x @ self.w + self.b

    return type("Own", (keras.layers.Layer,), {"build": build, "call": call, **methods})


def weights_of_seed(keras, layer, seed):
    from ae_multi.randomness import redraw

    model = keras.Sequential([keras.Input((3,)), layer])
    redraw(model, seed)
    return model.get_weights()


def test_redraw_finds_the_initializer_of_a_users_layer(keras):
    first, second = (weights_of_seed(keras, own_layer(keras)(), 2) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], 0)
    np.testing.assert_array_equal(first[0], drawn(keras, "glorot_uniform", (3, 3), 2, "0/w"))


def test_redraw_refuses_a_weight_whose_initializer_cannot_be_found(keras):
    from ae_multi.errors import InputError

    def init(self, function):
        keras.layers.Layer.__init__(self, name="hidden")

    hidden = own_layer(keras, __init__=init)
    with pytest.raises(InputError, match=r"'hidden' \(Own\).*'w'.*w_initializer"):
        weights_of_seed(keras, hidden(print), 0)

    def init_and_show(self, function):
        init(self, function)
        self.w_initializer = "glorot_uniform"

    shown = own_layer(keras, __init__=init_and_show)
    first, second = (weights_of_seed(keras, shown(print), 2)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


# Layers of Keras that have weights, of those that the sweep of layers knows.
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
# The weights that seed 7 gives all of them: the same on every backend.
DIGEST = "fe743e79c98ed973914173ba0d5396701f578bb8077113f304ec6d8ed72f1230"


def test_every_layer_of_keras_starts_from_the_seed_alike_on_every_backend(keras):
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


def test_no_layer_of_keras_with_weights_is_left_out(keras):
    from tests.robustness.sweep.catalogue import DRAWS, EXCEPTIONS
    from tests.robustness.sweep.families import preprocessing

    aliases = {name for name in DRAWS if name in preprocessing.DRAWS}
    for name in sorted(set(DRAWS) - set(WITH_WEIGHTS) - aliases):
        layer = getattr(keras.layers, name)
        assert "add_weight" not in inspect.getsource(inspect.getmodule(layer)), name
    assert not set(WITH_WEIGHTS) & set(EXCEPTIONS)


def test_the_seed_starts_an_autoencoder_of_recurrent_layers(keras):
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


def test_a_random_bias_beside_the_forget_bias_is_drawn(keras):
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


def test_an_autoencoder_as_an_encoder_is_drawn_once(keras):
    import ae_multi

    def model():
        layers = keras.layers
        encoder = keras.Sequential(
            [keras.Input((3, 5, 2)), layers.ConvLSTM1D(2, 3, padding="same"), layers.Flatten()]
        )
        decoder = keras.Sequential([keras.Input((10,)), layers.Dense(4)])
        inner = ae_multi.Autoencoder(encoder, decoder, seed=1)
        outer = keras.Sequential([keras.Input((3, 5, 2)), inner])
        back = keras.Sequential([keras.Input((4,)), layers.Dense(30), layers.Reshape((3, 5, 2))])
        return ae_multi.Autoencoder(outer, back, seed=2)

    for a, b in zip(model().get_weights(), model().get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
