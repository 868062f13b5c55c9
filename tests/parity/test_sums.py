"""Errors of plain float32 summation, measured on the terms of a float64 run."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture
def sums(keras):
    from ae_multi.parity import sums

    return sums


@pytest.mark.once
@pytest.mark.parametrize("count", [100, 1000, 8192])
def test_measured_error_covers_sequential_summation(sums, count):
    terms = np.random.default_rng(0).normal(size=(count, 3)) + np.array([0, 3, 30])
    error = sums.plain_sum_errors(terms)
    added = np.zeros(3, np.float32)
    for row in terms.astype(np.float32):
        added += row
    assert np.all(error >= abs(added - terms.sum(axis=0)))
    # Higham's bound for any order, with one more rounding for the terms.
    assert np.all(error <= count * 2.0**-24 * abs(terms).sum(axis=0))


@pytest.mark.once
def test_error_of_equal_terms_grows_linearly(sums):
    for value in (0.1, 1.7, 0.3333, 5.0):
        few, many = (
            sums.plain_sum_errors(np.full((n, 1), value))[0] / (n * value) for n in (2**8, 2**14)
        )
        assert many > 16 * few
        assert many < 2**14 * 2.0**-24
    varied = 1 + np.random.default_rng(0).random((2**14, 1))
    assert sums.plain_sum_errors(varied)[0] / varied.sum() < 2**7 * 2.0**-24


@pytest.mark.once
@pytest.mark.parametrize(("mean", "is_covered"), [(4.0, True), (1000.0, False)])
def test_group_normalization_covers_only_mild_cancellation(keras, sums, mean, is_covered):
    x = mean + np.random.default_rng(0).normal(size=(8, 16, 16, 4))
    layer = keras.layers.GroupNormalization(2)
    layer.build(x.shape)
    groups = x.reshape(8, -1, 2, 2)
    deviation = np.sqrt(groups.var((1, 3), keepdims=True) + layer.epsilon)
    exact = (groups - groups.mean((1, 3), keepdims=True)) / deviation
    known = sums.forward_sums(layer, [x], exact.reshape(x.shape), training=False)
    rounded = groups.astype(np.float32)  # E[x²] - E[x]² in float32, one term after another
    terms = rounded.transpose(1, 3, 0, 2).reshape(-1, 16)
    sizes = np.float32(len(terms))
    means = np.add.reduce(terms, axis=0) / sizes
    variances = np.add.reduce(terms**2, axis=0) / sizes - means**2
    normal = (terms - means) / np.sqrt(variances + np.float32(layer.epsilon))
    error = np.max(abs(normal - exact.transpose(1, 3, 0, 2).reshape(-1, 16)))
    assert (error <= 2 * known["summation"]) == is_covered


def recorded(keras, model, x, y):
    """Return (gradients, weights after a step, outputs of layers), each a dict of name to entry."""
    from ae_multi.parity.trace_recorder import TraceRecorder

    recorder = TraceRecorder(model, [x], [y], 0, len(x), with_sums=True)
    stages = recorder.forward(1)
    stages |= recorder.steps(1)
    return [
        {entry["name"]: entry for entry in stages[stage]}
        for stage in ("gradient", "one step", "training forward")
    ]


def test_recorded_terms_explain_gradients_and_means(keras, sums):
    """Global average pooling gives all pixels the same gradient, so its terms have one sign."""
    numbers = np.random.default_rng(0)
    x = numbers.random((16, 8, 8, 2)).astype("float32")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 2)),
            layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="conv"),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
            layers.BatchNormalization(name="norm"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(1, kernel_initializer="ones", name="dense"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse")
    gradient, step, layer = recorded(keras, model, x, np.full((16, 1), 9.0, "float32"))
    offset, depthwise = gradient["norm/beta"], gradient["depthwise/bias"]
    assert offset["terms"] == depthwise["terms"] == 16 * 64
    assert offset["scale"] == pytest.approx(np.max(abs(offset["values"])), rel=1e-5)
    assert 0 < offset["summation"] < 16 * 64 * 2.0**-24 * offset["scale"]
    # The terms of a bias before a normalization cancel. TensorFlow adds them one after another,
    # which leaves up to 2e-3.
    assert depthwise["scale"] > 1e2 * np.max(abs(depthwise["values"]))
    # Sums of few terms are not measured.
    assert "scale" not in gradient["dense/bias"]
    mean = step["norm/moving_mean"]
    assert 0 < np.max(abs(mean["values"])) < 1.01 * mean["scale"] < 1
    assert 0 < mean["summation"] < 16 * 64 * 2.0**-24 * mean["scale"]
    assert 0 < layer["pool"]["summation"] < 64 * 2.0**-24 * layer["pool"]["scale"]
    # The deviation of a channel amplifies the errors of its mean and of its variance.
    spread = layer["depthwise"]["values"].reshape(16 * 64, 3)
    mean, deviation = spread.mean(axis=0), np.sqrt(spread.var(axis=0) + 1e-3)
    normal = np.max(abs(spread - mean), axis=0) / deviation
    amplified = abs(mean) / deviation + 1.5 * normal * np.mean(spread**2, axis=0) / deviation**2
    assert 0 < layer["norm"]["summation"] < 16 * 64 * 2.0**-24 * np.max(amplified)
    assert np.max(abs(layer["conv"]["values"])) <= 1 < layer["conv"]["scale"]


def test_layers_are_unchanged_after_recording_terms(keras, sums):
    """The model calls one layer twice, and one of its activations is a layer."""
    layers = keras.layers
    x = np.random.default_rng(0).random((16, 5, 5, 2)).astype("float32")
    image = keras.Input((5, 5, 2))
    shared = layers.Conv2D(2, 3, padding="same", activation="tanh", name="shared")
    with_relu = layers.Conv2D(2, 3, padding="same", activation=layers.ReLU(), name="relu_layer")
    output = layers.GlobalAveragePooling2D()(with_relu(shared(shared(image))))
    model = keras.Model(image, output)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    activation, call = shared.activation, keras.Layer.__call__
    before = model.predict(x, verbose=0)
    gradient, *_ = recorded(keras, model, x, np.full((16, 2), 9.0, "float32"))
    assert shared.activation is activation
    assert keras.Layer.__call__ is call
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    assert gradient["shared/bias"]["terms"] == 2 * 16 * 25
    assert gradient["shared/bias"]["scale"] >= np.max(abs(gradient["shared/bias"]["values"]))
    assert "scale" not in gradient["relu_layer/bias"]
