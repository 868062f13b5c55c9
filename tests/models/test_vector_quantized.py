"""`VectorQuantizedAutoencoder`: codes, loss and straight-through gradients against NumPy."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError

pytestmark = pytest.mark.backend


def linear(keras):
    """Return a linear encoder from 4 numbers to 3 vectors of 2, and a linear decoder."""
    layers = keras.layers
    encoder = keras.Sequential(
        [keras.Input((4,)), layers.Dense(6, use_bias=False), layers.Reshape((3, 2))]
    )
    decoder = keras.Sequential(
        [keras.Input((3, 2)), layers.Flatten(), layers.Dense(4, use_bias=False)]
    )
    return {"encoder": encoder, "decoder": decoder}


def model_of(keras, **arguments):
    model = ae_multi.VectorQuantizedAutoencoder(5, 2, commitment=0.7, **arguments, **linear(keras))
    for i, weight in enumerate(model.trainable_variables):
        weight.assign(np.random.default_rng(i).normal(0, 0.6, weight.shape).astype(np.float32))
    return model


def numpy_forward(model, x):
    """Return (encoder, codebook, decoder, z, indices); all but the indices in float64."""
    encoder, codebook, decoder = (w.astype(np.float64) for w in model.get_weights())
    z = (x @ encoder).reshape(len(x), 3, 2)
    indices = np.argmin(((z[:, :, None] - codebook) ** 2).sum(axis=-1), axis=-1)
    return encoder, codebook, decoder, z, indices


def test_codes_are_the_nearest_vectors_of_the_codebook(keras):
    x = np.random.default_rng(0).normal(0, 1, (20, 4)).astype(np.float32)
    model = model_of(keras)
    _, codebook, _, _, indices = numpy_forward(model, x)
    assert len(np.unique(indices)) > 3
    found = model.code_indices(x)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, indices)
    np.testing.assert_array_equal(model.encode(x), codebook.astype(np.float32)[indices])


def test_training_step_equals_numpy(keras):
    """Compare the loss and the gradients of encoder, codebook and decoder."""
    x = np.random.default_rng(0).normal(0, 1, (20, 4)).astype(np.float32)
    model = model_of(keras)
    model.compile(keras.optimizers.SGD(0.5))
    encoder, codebook, decoder, z, indices = numpy_forward(model, x)
    q = codebook[indices]
    error = q.reshape(20, 6) @ decoder - x
    residual = z - q
    loss = np.mean(error**2) + 1.7 * np.mean(residual**2)

    d_out = 2 * error / error.size
    d_decoder = q.reshape(20, 6).T @ d_out
    # The gradient of q passes to z unchanged; the codebook loss changes the codebook only.
    d_z = (d_out @ decoder.T).reshape(z.shape) + 0.7 * 2 * residual / residual.size
    d_encoder = x.T @ d_z.reshape(20, 6)
    d_codebook = np.zeros_like(codebook)
    np.add.at(d_codebook, indices, -2 * residual / residual.size)

    assert model.evaluate(x, verbose=0) == pytest.approx(loss, rel=1e-5)
    history = model.fit(x, batch_size=20, verbose=0)
    assert history.history["loss"][0] == pytest.approx(loss, rel=1e-5)
    for found, weight, gradient in zip(
        model.get_weights(),
        (encoder, codebook, decoder),
        (d_encoder, d_codebook, d_decoder),
        strict=True,
    ):
        np.testing.assert_allclose(found, weight - 0.5 * gradient, atol=2e-6)


def test_digits_use_the_codebook(keras, digits):
    model = ae_multi.VectorQuantizedAutoencoder(32, hidden=(64,), codes=8)
    model.compile(keras.optimizers.Adam(0.005))
    model.fit(digits.x_train[:1280], epochs=15, batch_size=64, verbose=0)
    share = np.bincount(model.code_indices(digits.x_test).ravel(), minlength=32) / (8 * 360)
    perplexity = np.exp(-sum(p * np.log(p) for p in share if p))
    assert perplexity > 8
    mse = np.mean((model.reconstruct(digits.x_test) - digits.x_test) ** 2)
    mean_image = np.mean((digits.x_train.mean(axis=0) - digits.x_test) ** 2)
    assert mse < 0.9 * mean_image


def test_seed_determines_the_codebook(keras):
    starts = [
        ae_multi.VectorQuantizedAutoencoder(seed=seed, **linear(keras), code_dim=2).get_weights()[1]
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(starts[0], starts[1])
    assert not np.array_equal(starts[0], starts[2])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"codebook_size": 0}, "codebook_size .*Received: 0"),
        ({"code_dim": 1.5}, "code_dim .*Received: 1.5"),
        ({"codes": -1}, "codes .*Received: -1"),
        ({"commitment": -1}, "commitment to be a number of at least 0. Received: -1"),
    ],
    ids=range(4),
)
def test_invalid_arguments_are_refused(keras, arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.VectorQuantizedAutoencoder(**arguments)


def test_vectors_of_another_size_are_refused(keras):
    with pytest.raises(InputError, match=r"code_dim = 3 numbers.*\(None, 3, 2\)"):
        ae_multi.VectorQuantizedAutoencoder(code_dim=3, **linear(keras))
