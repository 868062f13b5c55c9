"""`DenoisingAutoencoder`: corruption in training only, and restored images."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from tests.reference import counter_hash

pytestmark = pytest.mark.backend


def identity(keras):
    """Return arguments with an encoder and a decoder that return their input."""

    def part():
        layer = keras.layers.Dense(6, use_bias=False, kernel_initializer="identity")
        return keras.Sequential([keras.Input((6,)), layer])

    return {"encoder": part(), "decoder": part(), "seed": None}


def test_training_maps_corrupted_to_clean_inputs(keras):
    """With fixed weights the loss is the error of the corruption that the reference computes."""
    x = np.random.default_rng(0).random((64, 6), np.float32)
    model = ae_multi.DenoisingAutoencoder("masking", 0.25, **identity(keras))
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(x, batch_size=32, epochs=2, shuffle=False, verbose=0)
    errors = []
    for step in range(4):
        top = np.array(counter_hash.bits(32 * 6, 0, step, "masking"), np.uint32) >> 8
        hit = (top * 2.0**-24 < 0.25).reshape(32, 6)
        half = x[:32] if step % 2 == 0 else x[32:]
        errors.append(np.mean((half * hit) ** 2))
    expected = [np.mean(errors[:2]), np.mean(errors[2:])]
    np.testing.assert_allclose(history.history["loss"], expected, rtol=1e-6)
    # There is no corruption in inference.
    np.testing.assert_array_equal(model.reconstruct(x), x)
    assert model.evaluate(x, verbose=0) == 0


def test_reconstruction_removes_noise_from_digits(digits):
    x, clean = digits.x_train[:1280], digits.x_test
    noisy = clean + np.random.default_rng(0).normal(0, 0.4, clean.shape).astype(np.float32)
    model = ae_multi.DenoisingAutoencoder("gaussian", 0.4, (64,), 32)
    model.compile()
    model.fit(x, epochs=20, batch_size=64, verbose=0)
    before = np.mean((noisy - clean) ** 2)
    after = np.mean((model.reconstruct(noisy) - clean) ** 2)
    mean_image = np.mean((x.mean(axis=0) - clean) ** 2)
    assert after < 0.1 * before
    assert after < 0.5 * mean_image


def test_salt_and_pepper_use_the_ends_of_the_range(keras):
    for value_range, ends in ((None, (0, 1)), ((-2, 3), (-2, 3))):
        model = ae_multi.DenoisingAutoencoder(
            "salt_and_pepper", 0.5, value_range=value_range, **identity(keras)
        )
        layer = model.encoder.layers[0]
        assert (layer.low, layer.high, layer.level) == (*ends, 0.5)


def test_gaussian_noise_may_leave_the_range(small):
    model = ae_multi.DenoisingAutoencoder("gaussian", 0.3, (4,), 2, (8, 8, 1))
    model.reconstruct(small - 1.5)
    with pytest.raises(InputError, match="within"):
        model.reconstruct(255 * small)
    with pytest.raises(InputError, match="within"):
        ae_multi.DenoisingAutoencoder("masking", 0.3, (4,), 2, (8, 8, 1)).reconstruct(small - 1.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("blur",), "one of gaussian, masking, salt_and_pepper. Received: 'blur'"),
        (("gaussian", 0), "level .*above 0. Received: 0"),
        (("gaussian", "much"), "level .*Received: 'much'"),
        (("masking", 1), "level above 0 and below 1. Received: 1"),
    ],
    ids=range(4),
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        ae_multi.DenoisingAutoencoder(*arguments)
