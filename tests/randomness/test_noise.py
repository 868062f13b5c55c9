"""Random numbers in the graph: bits against an integer reference, and distributions."""

import numpy as np
import pytest
from scipy import stats

from tests.reference import counter_hash

pytestmark = pytest.mark.backend


def array(keras, tensor):
    return keras.ops.convert_to_numpy(tensor)


@pytest.mark.parametrize(("seed", "step"), [(0, 0), (0, 1), (12345678901, 7), (3, 2**31 - 1)])
def test_bits_equal_the_integer_reference(keras, seed, step):
    from ae_multi.randomness import noise

    expected = np.array(counter_hash.bits(35, seed, step, "noise"), np.uint32)
    found = array(keras, noise.bits((5, 7), seed, step))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found.ravel().view(np.uint32), expected)


def test_uniform_noise_is_the_top_24_bits(keras):
    from ae_multi.randomness import noise

    expected = np.array(counter_hash.bits(35, 1, 2, "noise"), np.uint32) >> 8
    found = array(keras, noise.uniform((35,), 1, 2))
    np.testing.assert_array_equal(found, expected.astype(np.float32) * np.float32(2**-24))


def test_normal_noise_is_the_quantile_of_the_top_16_bits(keras):
    from ae_multi.randomness import noise

    top = np.array(counter_hash.bits(35, 1, 2, "noise"), np.uint32) >> 16
    expected = (0.4 * stats.norm.ppf((top + 0.5) / 2**16)).astype(np.float32)
    found = array(keras, noise.normal((35,), 0.4, 1, 2))
    np.testing.assert_allclose(found, expected, rtol=2e-7)


def test_noise_is_uniform_and_normal(keras):
    from ae_multi.randomness import noise

    uniform = array(keras, noise.uniform((300, 1000), 5, 9)).ravel()
    assert stats.kstest(uniform, "uniform").pvalue > 0.01
    normal = array(keras, noise.normal((300, 1000), 2.0, 5, 9)).ravel()
    assert stats.kstest(normal / 2, "norm").pvalue > 0.01
    assert normal.std() == pytest.approx(2, rel=0.01)


def test_numbers_of_other_steps_seeds_purposes_and_positions_are_uncorrelated(keras):
    from ae_multi.randomness import noise

    base = array(keras, noise.uniform((100_000,), 0, 0))
    others = [
        array(keras, noise.uniform((100_000,), 1, 0)),
        array(keras, noise.uniform((100_000,), 0, 1)),
        array(keras, noise.uniform((100_000,), 0, 0, "dropout")),
        np.roll(base, 1),
        np.roll(base, 784),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.015


def test_dropout_equals_the_integer_reference_and_scales_the_rest(keras):
    from ae_multi.randomness import Dropout

    layer = Dropout(0.3, seed=2)
    x = np.ones((500, 200), np.float32)
    y = array(keras, layer(x, training=True))
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.005)
    assert set(np.unique(y)) == {0, np.float32(1 / 0.7)}
    mask = np.array(counter_hash.bits(100_000, 2, 0, "dropout"), np.uint32) >> 8
    np.testing.assert_array_equal(y.ravel() != 0, mask * 2.0**-24 >= np.float32(0.3))
    np.testing.assert_array_equal(array(keras, layer(x, training=False)), x)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_masks_and_salt_and_pepper_equal_the_integer_reference(keras, dtype):
    from ae_multi.randomness import MaskingNoise, SaltAndPepper

    x = np.random.default_rng(0).random((50, 40)).astype(dtype)
    masking = MaskingNoise(0.3, seed=4, dtype=dtype)
    for step in range(2):
        top = np.array(counter_hash.bits(2000, 4, step, "masking"), np.uint32) >> 8
        mask = (top * 2.0**-24 >= np.float32(0.3)).reshape(x.shape)
        np.testing.assert_array_equal(array(keras, masking(x, training=True)), x * mask)

    top = np.array(counter_hash.bits(2000, 4, 0, "salt and pepper"), np.uint32) >> 8
    drawn = (top * 2.0**-24).reshape(x.shape)
    expected = np.where(drawn < 0.15, -1, np.where(drawn < np.float32(0.3), 2, x)).astype(dtype)
    layer = SaltAndPepper(0.3, -1, 2, seed=4, dtype=dtype)
    np.testing.assert_array_equal(array(keras, layer(x, training=True)), expected)
    assert (expected == -1).mean() == pytest.approx(0.15, abs=0.03)
    assert (expected == 2).mean() == pytest.approx(0.15, abs=0.03)
    for each in (masking, layer):
        np.testing.assert_array_equal(array(keras, each(x, training=False)), x)


def test_each_training_call_draws_new_reproducible_numbers(keras):
    from ae_multi.randomness import GaussianNoise, noise

    x = np.zeros((20, 30), np.float32)
    layer, again = GaussianNoise(0.5, seed=1), GaussianNoise(0.5, seed=1)
    calls = [array(keras, layer(x, training=True)) for _ in range(3)]
    assert len({call.tobytes() for call in calls}) == 3
    for step, call in enumerate(calls):
        np.testing.assert_array_equal(call, array(keras, again(x, training=True)))
        expected = noise.normal((20, 30), 0.5, 1, step, "gaussian")
        np.testing.assert_array_equal(call, array(keras, expected))


def test_noise_advances_inside_a_compiled_training(keras):
    from ae_multi.randomness import Dropout

    layer = Dropout(0.25, seed=3)
    identity = keras.layers.Dense(6, use_bias=False, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((6,)), identity, layer])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    x = np.ones((70, 6), np.float32)
    history = model.fit(x, x, batch_size=32, epochs=2, verbose=0, shuffle=False)
    assert int(layer.step) == 6  # three batches an epoch, the last of 6 samples
    # The integer reference gives the loss of the second epoch:
    # (4/3 - 1)² for each value that is not dropped, (0 - 1)² for each dropped one.
    errors = []
    for step, samples in zip((3, 4, 5), (32, 32, 6), strict=True):
        top = np.array(counter_hash.bits(samples * 6, 3, step, "dropout"), np.uint32) >> 8
        errors.extend(np.where(top * 2.0**-24 >= 0.25, 1 / 9, 1.0))
    assert history.history["loss"][1] == pytest.approx(np.mean(errors), rel=1e-6)


@pytest.mark.parametrize("name", ["Dropout", "GaussianNoise", "MaskingNoise", "SaltAndPepper"])
def test_noise_layer_from_config_draws_the_same_numbers(keras, name):
    import ae_multi.randomness as randomness

    layer = getattr(randomness, name)(0.25, seed=8, name="noisy")
    again = type(layer).from_config(layer.get_config())
    x = np.ones((4, 5), np.float32)
    np.testing.assert_array_equal(
        array(keras, layer(x, training=True)), array(keras, again(x, training=True))
    )
    assert again.name == "noisy"


def test_invalid_arguments_are_refused(keras):
    from ae_multi.errors import InputError
    from ae_multi.randomness import Dropout, GaussianNoise, MaskingNoise, SaltAndPepper

    for level in (0, 1, -0.5, float("nan")):
        for kind in (MaskingNoise, SaltAndPepper):
            with pytest.raises(InputError, match="level above 0 and below 1"):
                kind(level)
    with pytest.raises(InputError, match="low below high"):
        SaltAndPepper(0.5, 1, 0)
    for rate in (-0.1, 1, 1.5):
        with pytest.raises(InputError, match="rate from 0 to below 1"):
            Dropout(rate)
    for stddev in (0, -1, float("nan")):
        with pytest.raises(InputError, match="stddev above 0"):
            GaussianNoise(stddev)


def test_layer_may_draw_noise_for_an_unknown_batch_size(keras):
    from ae_multi.randomness import noise

    class Drawing(keras.layers.Layer):
        def call(self, x):
            return x + noise.normal(keras.ops.shape(x), 1.0, 0, 1)

    x = keras.Input((3,))
    model = keras.Model(x, Drawing()(x))
    assert model.output_shape == (None, 3)
    drawn = array(keras, model(np.zeros((5, 3), np.float32)))
    np.testing.assert_array_equal(drawn, array(keras, noise.normal((5, 3), 1.0, 0, 1)))
