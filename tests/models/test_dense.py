"""`SimpleAutoencoder` and `DeepAutoencoder` equal code in NumPy and in each framework."""

from itertools import pairwise

import numpy as np
import pytest

import ae_multi
from tests.reference import native, numpy_dense

pytestmark = pytest.mark.backend

DESIGNS = {
    "simple": ("SimpleAutoencoder", ["relu", "sigmoid"], [784, 32, 784]),
    "deep": (
        "DeepAutoencoder",
        ["relu"] * 4 + ["linear"] + ["relu"] * 4 + ["sigmoid"],
        [784, 128, 64, 36, 18, 9, 18, 36, 64, 128, 784],
    ),
}


@pytest.fixture(params=DESIGNS)
def design(request, digits):
    """Return a model, its expected activations and layer sizes, and 128 images."""
    name, activations, sizes = DESIGNS[request.param]
    model = getattr(ae_multi, name)()
    model.compile()
    return model, activations, sizes, digits.x_train[:128]


def test_layers_have_the_documented_sizes(design):
    model, _, sizes, _ = design
    expected = []
    for inputs, outputs in pairwise(sizes):
        expected += [(inputs, outputs), (outputs,)]
    assert [weight.shape for weight in model.get_weights()] == expected
    assert model.count_params() == sum(np.prod(shape) for shape in expected)


def assert_equal(found, expected):
    """Compare outputs within 1e-6 and each gradient within 2e-6 of its largest magnitude."""
    restored, loss, gradients = found
    np.testing.assert_allclose(
        restored.reshape(len(restored), -1),
        expected[0].reshape(len(restored), -1),
        rtol=0,
        atol=1e-6,
    )
    assert loss == pytest.approx(expected[1], rel=1e-6)
    for gradient, other in zip(gradients, expected[2], strict=True):
        assert gradient.shape == other.shape
        largest = abs(other).max()
        assert largest > 0
        np.testing.assert_allclose(gradient, other, rtol=0, atol=2e-6 * largest)


def test_model_equals_numpy_in_float64(design):
    model, activations, _, x = design
    weights, flat = model.get_weights(), x.reshape(len(x), -1)
    restored = numpy_dense.forward(weights, activations, flat)[-1]
    loss, gradients = numpy_dense.loss_and_gradients(weights, activations, flat)
    assert_equal(native.keras_model(model, x), (restored, loss, gradients))


def test_model_equals_native_code_of_the_framework(design, backend):
    model, activations, _, x = design
    flat = x.reshape(len(x), -1)
    expected = native.NATIVE[backend](model.get_weights(), activations, flat)
    assert_equal(native.keras_model(model, x), expected)


def test_numpy_reference_has_correct_gradients():
    # Compare the reference with finite differences of its loss.
    rng = np.random.default_rng(0)
    sizes, activations = [6, 4, 3, 6], ["relu", "linear", "sigmoid"]
    weights = []
    for inputs, outputs in pairwise(sizes):
        weights += [rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)]
    x = rng.random((5, 6))
    _, gradients = numpy_dense.loss_and_gradients(weights, activations, x)
    for i, gradient in enumerate(gradients):
        index = tuple(rng.integers(0, size) for size in gradient.shape)
        step, losses = 1e-6, []
        for sign in (1, -1):
            shifted = [w.copy() for w in weights]
            shifted[i][index] += sign * step
            losses.append(numpy_dense.loss_and_gradients(shifted, activations, x)[0])
        numerical = (losses[0] - losses[1]) / (2 * step)
        assert gradient[index] == pytest.approx(numerical, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", DESIGNS)
def test_training_from_a_seed_equals_numpy(name, digits):
    """Three epochs of SGD equal NumPy, with weights and order from the seed."""
    from ae_multi._keras import keras
    from ae_multi.randomness.streams import permutation

    cls, activations, _ = DESIGNS[name]
    model = getattr(ae_multi, cls)(seed=11)
    start = model.get_weights()
    model.compile(optimizer=keras.optimizers.SGD(0.5))
    x = digits.x_train[:300]
    history = model.fit(x, epochs=3, batch_size=128, verbose=0)
    flat = x.reshape(len(x), -1)
    batches = [
        flat[permutation(11, epoch, 300)[begin : begin + 128]]
        for epoch in range(3)
        for begin in (0, 128, 256)
    ]
    weights, losses = numpy_dense.train_sgd(start, activations, batches, 0.5)
    for found, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    sizes = [128, 128, 44]
    for epoch in range(3):
        expected = np.average(losses[3 * epoch : 3 * epoch + 3], weights=sizes)
        assert history.history["loss"][epoch] == pytest.approx(expected, rel=1e-6)
