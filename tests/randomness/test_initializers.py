"""Seeded initializers: distributions of Keras, with numbers from the streams of a seed."""

import math

import numpy as np
import pytest

pytestmark = pytest.mark.backend


def initial_values(keras, initializer, shape=(300, 200), seed=0, name="w"):
    from ae_multi.randomness import Seeded

    return keras.ops.convert_to_numpy(Seeded(initializer, seed, name)(shape))


def test_glorot_uniform_equals_its_formula(keras):
    from ae_multi.randomness.streams import uniform

    weights = initial_values(keras, "glorot_uniform", (784, 32), seed=5, name="code")
    limit = math.sqrt(6 / (784 + 32))
    exact = limit * (2 * uniform(5, "weights/code", (784, 32)).astype(np.float64) - 1)
    assert weights.dtype == np.float32
    # The limit and the product are rounded: at most one unit in the last place.
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

    seeded = initial_values(keras, name, shape)
    expected = keras.ops.convert_to_numpy(getattr(keras.initializers, name)(seed=1)(shape))
    assert seeded.shape == shape
    assert stats.ks_2samp(seeded.ravel(), expected.ravel()).pvalue > 0.001


def test_no_framework_generator_is_used(keras, monkeypatch):
    import ae_multi

    def refuse(*args, **kwargs):
        raise AssertionError("a generator of the framework was used")

    for name in ("draw_seed", "uniform", "normal", "truncated_normal", "randint", "shuffle"):
        if hasattr(keras.src.backend.random, name):
            monkeypatch.setattr(keras.src.backend.random, name, refuse)
    with pytest.raises(AssertionError, match="framework was used"):
        keras.initializers.GlorotUniform(0)((2, 2))
    model = ae_multi.DeepAutoencoder((8,), 3, 20)
    model.compile()
    model.fit(np.zeros((50, 20), np.float32), verbose=0)


def test_orthogonal_weights_have_orthogonal_rows_or_columns(keras):
    for shape in ((40, 30), (30, 40)):
        q = initial_values(keras, keras.initializers.Orthogonal(gain=2.0), shape)
        product = q.T @ q if shape[0] > shape[1] else q @ q.T
        np.testing.assert_allclose(product, 4 * np.eye(30), atol=1e-5)


def test_constant_initializers_equal_those_of_keras(keras):
    np.testing.assert_array_equal(initial_values(keras, keras.initializers.Constant(2.5)), 2.5)
    np.testing.assert_array_equal(initial_values(keras, "zeros"), 0)


def test_seed_and_name_determine_the_weights(keras):
    a = initial_values(keras, "glorot_uniform")
    np.testing.assert_array_equal(a, initial_values(keras, "glorot_uniform"))
    assert (a != initial_values(keras, "glorot_uniform", seed=1)).mean() > 0.99
    assert (a != initial_values(keras, "glorot_uniform", name="v")).mean() > 0.99


def test_seeded_initializer_is_serialized(keras):
    from ae_multi.randomness import Seeded

    layer = keras.layers.Dense(3, kernel_initializer=Seeded("he_normal", 4, "here"))
    again = keras.layers.Dense.from_config(layer.get_config())
    layer.build((None, 5))
    again.build((None, 5))
    np.testing.assert_array_equal(layer.get_weights()[0], again.get_weights()[0])


def test_random_numbers_of_a_custom_initializer_depend_on_the_seed(keras):
    class Shifted(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            half = keras.random.uniform(shape, 1.0, 3.0, dtype=dtype, seed=4)
            return half + keras.initializers.Ones()(shape, dtype)

    class Doubled(keras.initializers.RandomNormal):
        def __call__(self, shape, dtype=None):
            return 2 * super().__call__(shape, dtype)

    values = initial_values(keras, Shifted())
    assert 2 <= values.min() < 2.01
    assert 3.99 < values.max() < 4
    np.testing.assert_array_equal(values, initial_values(keras, Shifted()))
    assert not np.array_equal(values, initial_values(keras, Shifted(), seed=1))
    assert np.std(initial_values(keras, Doubled(stddev=0.5))) == pytest.approx(1, rel=0.02)


def test_initializers_with_other_generators_are_refused(keras):
    from ae_multi.errors import InputError

    class NumPyRandom(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.ops.convert_to_tensor(np.random.default_rng().random(shape), dtype=dtype)

    class Gamma(keras.initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return keras.random.gamma(shape, 1.0, seed=1)

    with pytest.raises(InputError, match="Received: NumPyRandom, for 'weights/w', whose"):
        initial_values(keras, NumPyRandom())
    with pytest.raises(InputError, match=r"Received: one that calls keras\.random\.gamma"):
        initial_values(keras, Gamma())
