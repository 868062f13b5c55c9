"""Models converted to pure functions in JAX, and parameters loaded into models."""

from itertools import pairwise

import numpy as np
import pytest

import ae_multi
from ae_multi.backend_selection import installed
from tests.reference import numpy_dense
from tests.reference.movable_models import MODELS, images_for, outputs_of, package_model, randomized

pytestmark = pytest.mark.backend

here = pytest.mark.skipif(not installed("jax"), reason="JAX is not installed")

DEEP = ["relu"] * 4 + ["linear"] + ["relu"] * 4 + ["sigmoid"]


@here
@pytest.mark.parametrize("name", MODELS)
def test_jax_function_equals_the_model(name):
    import jax

    model = MODELS[name]()
    x = images_for(model)
    params, apply = ae_multi.to_jax(model)
    expected = outputs_of(model, x)
    assert np.ptp(expected) > 0.01
    found = np.asarray(jax.jit(apply)(params, x))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@here
@pytest.mark.parametrize("kernel", [1, 2, 4])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_equals_keras(keras, kernel, padding):
    kl = keras.layers
    for strides in (2, (3, 1)):
        for layer in (kl.Conv2D, kl.Conv2DTranspose):
            model = keras.Sequential(
                [keras.Input((5, 8, 2)), layer(3, kernel, strides=strides, padding=padding)]
            )
            x = images_for(model)
            params, apply = ae_multi.to_jax(model)
            expected = outputs_of(model, x)
            np.testing.assert_allclose(apply(params, x), expected, rtol=0, atol=1e-6)


@here
def test_outputs_and_gradients_equal_numpy_in_float64():
    import jax

    model = package_model("deep")
    x = images_for(model)
    params, apply = ae_multi.to_jax(model)
    flat = x.reshape(len(x), -1)
    loss, gradients = numpy_dense.loss_and_gradients(model.get_weights(), DEEP, flat)
    value, found = jax.value_and_grad(lambda p: ((apply(p, x) - x) ** 2).mean())(params)
    assert float(value) == pytest.approx(loss, rel=1e-6)
    names = [*(f"down_{i}" for i in range(1, 5)), "code", *(f"up_{i}" for i in range(1, 5))]
    layers = [*(found["encoder"][name] for name in names[:5])]
    layers += [found["decoder"][name] for name in [*names[5:], "pixels"]]
    for layer, kernel, bias in zip(layers, gradients[::2], gradients[1::2], strict=True):
        for one, other in ((layer["kernel"], kernel), (layer["bias"], bias)):
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * abs(other).max())


@here
@pytest.mark.parametrize("name", ["simple", "words", "square dense", "square images"])
def test_changed_parameters_are_loaded_into_the_model(name):
    import jax

    model = MODELS[name]()
    x = images_for(model)
    params, apply = ae_multi.to_jax(model)
    keys = iter(jax.random.split(jax.random.key(0), 100))
    params = jax.tree.map(lambda a: a + 0.01 * jax.random.uniform(next(keys), a.shape), params)
    expected = np.asarray(jax.jit(apply)(params, x))
    assert abs(outputs_of(model, x) - expected).max() > 1e-5
    assert ae_multi.from_jax(params, model) is model
    np.testing.assert_allclose(outputs_of(model, x), expected, rtol=0, atol=1e-6)


@here
def test_training_in_plain_jax_equals_numpy():
    import jax

    model = ae_multi.SimpleAutoencoder(8, (20,), seed=1)
    x = images_for(model, 32)
    params, apply = ae_multi.to_jax(model)
    gradient = jax.jit(jax.grad(lambda p: ((apply(p, x) - x) ** 2).mean()))
    for _ in range(10):
        params = jax.tree.map(lambda p, g: p - 0.5 * g, params, gradient(params))
    activations = ["relu", "sigmoid"]
    weights, _ = numpy_dense.train_sgd(model.get_weights(), activations, [x] * 10, 0.5)
    ae_multi.from_jax(params, model)
    for found, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def common_parameters(sizes, form):
    """Return dense parameters as (kernel, bias) pairs, and in a form of common JAX libraries."""
    rng = np.random.default_rng(0)
    pairs = [
        (rng.normal(0, a**-0.5, (a, b)).astype(np.float32), rng.random(b).astype(np.float32))
        for a, b in pairwise(sizes)
    ]
    if form == "pairs":
        return pairs, pairs
    names = ("bias", "kernel") if form == "Flax" else ("b", "w")
    layers = {
        f"Dense_{i}": dict(zip(names, pair[::-1], strict=True)) for i, pair in enumerate(pairs)
    }
    return pairs, {"params": dict(sorted(layers.items()))}


@pytest.mark.parametrize("form", ["pairs", "Flax", "short names"])
def test_common_forms_of_parameters_load(form, keras):
    pairs, params = common_parameters([6] * 13, form)
    layers = [keras.layers.Dense(6, activation="tanh") for _ in range(12)]
    model = keras.Sequential([keras.Input((6,)), *layers])
    x = expected = images_for(model)
    for kernel, bias in pairs:
        expected = np.tanh(expected @ np.float64(kernel) + bias)
    ae_multi.from_jax(params, randomized(model))
    np.testing.assert_allclose(outputs_of(model, x), expected, rtol=0, atol=1e-6)


def test_error_for_mismatched_parameters_states_their_name():
    model = package_model("simple")
    pairs, _ = common_parameters([784, 32, 784], "pairs")
    kernel, bias = pairs[0]
    with pytest.raises(
        ae_multi.InputError, match=r"'0.0'.*code/kernel.*\(784, 32\). Received: \(32, 784\)"
    ):
        ae_multi.from_jax([(kernel.T, bias), pairs[1]], model)
    with pytest.raises(ae_multi.InputError, match=r"encoder.code.kernel.*Received: 2, 0.0, 0.1"):
        ae_multi.from_jax(pairs[:1], model)
    with pytest.raises(ae_multi.InputError, match=r"Expected '' in the parameters.*str"):
        ae_multi.from_jax("params", model)


def test_layers_of_one_name_in_nested_models_are_renamed(keras):
    def part():
        return keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="same")])

    model = randomized(keras.Sequential([keras.Input((4,)), part(), part()]))
    names = [layer.name for _, layer in ae_multi.interop.extract.extract_network(model).layers]
    assert names == ["same", "same_1"]


@pytest.mark.skipif(installed("jax"), reason="JAX is installed")
def test_missing_jax_is_reported():
    with pytest.raises(ae_multi.BackendError, match="pip install jax"):
        ae_multi.to_jax(package_model("simple"))
