"""`SparseAutoencoder`: penalties and codes against NumPy."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend


def small_model(sparsity, **arguments):
    return ae_multi.SparseAutoencoder(
        sparsity, latent_dim=20, input_shape=(8, 8, 1), seed=1, **arguments
    )


def numpy_codes(model, x):
    """Return the codes before sparsification, in float64."""
    kernel, bias = (weight.astype(np.float64) for weight in model.get_weights()[:2])
    z = x.reshape(len(x), -1).astype(np.float64) @ kernel + bias
    return {"l1": np.maximum(z, 0), "kl": 1 / (1 + np.exp(-z)), "top_k": z}[model.sparsity]


def penalty(model, codes):
    if model.sparsity == "l1":
        return np.abs(codes).sum(axis=1).mean()
    rho, mean = model.target, codes.mean(axis=0)
    return np.sum(rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean)))


@pytest.mark.parametrize(("sparsity", "strength"), [("l1", 0.7), ("kl", 1.3)])
def test_loss_equals_numpy(small, sparsity, strength):
    model = small_model(sparsity, strength=strength, target=0.2)
    model.compile()
    codes = numpy_codes(model, small)
    np.testing.assert_allclose(model.encode(small), codes, atol=1e-6)
    mse = np.mean((model.reconstruct(small).astype(np.float64) - small) ** 2)
    expected = mse + strength / 64 * penalty(model, codes)
    assert model.evaluate(small, batch_size=70, verbose=0) == pytest.approx(expected, rel=2e-6)


def test_training_reduces_the_penalty(keras, small):
    x = small[:64]
    model = small_model("kl", strength=10.0, target=0.1)
    model.compile(keras.optimizers.Adam(0.01))
    before = penalty(model, numpy_codes(model, x))
    model.fit(x, epochs=40, batch_size=64, verbose=0)
    assert penalty(model, numpy_codes(model, x)) < 0.1 * before


def test_top_k_keeps_the_largest_codes(small):
    model = small_model("top_k", k=3)
    dense, codes = numpy_codes(model, small), model.encode(small)
    assert ((codes != 0).sum(axis=1) == 3).all()
    places = np.argsort(-dense, axis=1)[:, :3]
    expected = np.zeros_like(dense)
    np.put_along_axis(expected, places, np.take_along_axis(dense, places, 1), 1)
    np.testing.assert_allclose(codes, expected, atol=1e-6)


def test_penalty_of_always_active_codes_is_finite(keras):
    from ae_multi.models.sparse import KLPenalty

    layer = KLPenalty(1.0)
    layer(np.array([[0.0, 1.0], [0.0, 1.0]], np.float32))
    assert np.isfinite(keras.ops.convert_to_numpy(layer.losses[0]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sparsity": "l2"}, "one of l1, kl, top_k. Received: 'l2'"),
        ({"strength": -1}, "strength to be a number of at least 0. Received: -1"),
        ({"strength": "much"}, "strength .*Received: 'much'"),
        ({"sparsity": "kl", "target": 1}, "target above 0 and below 1. Received: 1"),
        ({"sparsity": "top_k", "k": 0}, "k to be an integer of at least 1. Received: 0"),
        ({"sparsity": "top_k", "k": 129}, r"at least k = 129.*\(None, 128\)"),
    ],
    ids=range(6),
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.SparseAutoencoder(**arguments)
