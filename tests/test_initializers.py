"""Initial weights: Keras's distributions, the project's numbers."""

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


def test_a_random_initializer_of_another_kind_is_refused(keras):
    from ae_multi.errors import InputError

    class Odd(keras.initializers.Initializer):
        seed = 1

        def __call__(self, shape, dtype=None):
            return keras.ops.zeros(shape)

    with pytest.raises(InputError, match="Received: Odd, for the weight 'weights/w'"):
        drawn(keras, Odd())


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


def test_redraw_refuses_a_weight_that_hides_its_start(keras):
    from ae_multi.errors import InputError
    from ae_multi.randomness import redraw

    class Hidden(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3, 3), "glorot_uniform", name="w")

        def call(self, x):
            return x @ self.w

    model = keras.Sequential([keras.Input((3,)), Hidden(name="hidden")])
    with pytest.raises(InputError, match=r"'hidden' \(Hidden\).*'w'.*w_initializer"):
        redraw(model, 0)
