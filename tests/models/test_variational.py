"""`VariationalAutoencoder`: the evidence lower bound, sampling and the effect of beta."""

import numpy as np
import pytest
from scipy import stats

import ae_multi
from ae_multi.errors import InputError
from ae_multi.randomness import streams
from tests.reference import counter_hash

pytestmark = pytest.mark.backend


def numpy_posterior(model, x):
    """Return means and log variances in float64, from one ReLU and one linear layer."""
    kernel, bias, kernel_2, bias_2 = (w.astype(np.float64) for w in model.encoder.get_weights()[:4])
    h = np.maximum(x.reshape(len(x), -1) @ kernel + bias, 0)
    return np.split(h @ kernel_2 + bias_2, 2, axis=1)


def divergence(mean, log_variance):
    """Return the KL divergence of each sample, by numerical integration over each code."""
    z = np.linspace(-30, 30, 20001)
    total = np.zeros(len(mean))
    for i, j in np.ndindex(*mean.shape):
        q = stats.norm(mean[i, j], np.exp(log_variance[i, j] / 2))
        total[i] += np.trapezoid(q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), z)
    return total


def with_large_weights(model):
    """Assign weights so large that codes differ between samples; return the model."""
    for i, weight in enumerate(model.encoder.trainable_weights):
        weight.assign(np.random.default_rng(i).normal(0, 0.3, weight.shape).astype(np.float32))
    return model


def test_loss_is_the_evidence_lower_bound(small):
    x = small[:10]
    model = with_large_weights(ae_multi.VariationalAutoencoder(2.5, (9,), 3, (8, 8, 1)))
    model.compile()
    mean, log_variance = numpy_posterior(model, x)
    found = model.posterior(x)
    np.testing.assert_allclose(found[0], mean, atol=2e-6)
    np.testing.assert_allclose(found[1], log_variance, atol=2e-6)
    np.testing.assert_array_equal(model.encode(x), found[0])
    kl = divergence(mean, log_variance)
    np.testing.assert_allclose(model.divergence(x), kl, rtol=1e-5)
    p = model.reconstruct(x).astype(np.float64)
    bce = -np.mean(x * np.log(p) + (1 - x) * np.log(1 - p))
    expected = bce + 2.5 / 64 * kl.mean()
    assert model.evaluate(x, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_codes_are_sampled_in_training(keras):
    from ae_multi.models.variational import NormalCode

    layer = NormalCode(1.0, seed=5)
    statistics = np.random.default_rng(0).normal(0, 1, (7, 6)).astype(np.float32)
    mean, log_variance = np.split(statistics.astype(np.float64), 2, axis=1)
    for step in range(2):
        top = np.array(counter_hash.bits(21, 5, step, "gaussian"), np.uint32) >> 16
        noise = stats.norm.ppf((top + 0.5) / 2**16).reshape(7, 3)
        drawn = keras.ops.convert_to_numpy(layer(statistics, training=True))
        np.testing.assert_allclose(drawn, mean + np.exp(log_variance / 2) * noise, atol=2e-6)
    used = keras.ops.convert_to_numpy(layer(statistics, training=False))
    np.testing.assert_array_equal(used, statistics[:, :3])


@pytest.mark.slow
def test_beta_controls_the_divergence(digits):
    """With beta 1 codes are used; a large beta suppresses them."""
    x = digits.x_train[:1024]
    found = {}
    for beta in (1.0, 300.0):
        model = ae_multi.VariationalAutoencoder(beta, (64,), 8)
        model.compile()
        model.fit(x, epochs=15, batch_size=64, verbose=0)
        found[beta] = model.divergence(digits.x_test).mean(), model.encode(digits.x_test).std(0)
    assert found[300.0][0] < 0.01 < 2 < found[1.0][0] < 30
    assert (found[1.0][1] > 0.3).sum() >= 2  # codes that vary between images
    assert (found[300.0][1] < 0.05).all()


def test_samples_are_decoded_normal_codes():
    model = ae_multi.VariationalAutoencoder(1.0, (9,), 3, (8, 8, 1))
    codes = streams.normal(4, "sample", (6, 3)).astype(np.float32)
    samples = model.sample(6, seed=4)
    np.testing.assert_array_equal(samples, model.decode(codes))
    assert samples.shape == (6, 8, 8, 1)
    assert not np.array_equal(samples, model.sample(6, seed=5))
    with pytest.raises(InputError, match="n to be an integer"):
        model.sample(0)


def test_default_loss_depends_on_the_value_range(keras):
    def part(inputs, outputs):
        return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(outputs)])

    custom = ae_multi.VariationalAutoencoder(encoder=part(5, 4), decoder=part(2, 5))
    dense = ae_multi.VariationalAutoencoder()
    for model, loss in ((custom, "mse"), (dense, "binary_crossentropy")):
        model.compile()
        assert model.loss == loss
    model.compile(loss="mae")
    assert model.loss == "mae"
    with pytest.raises(InputError, match=r"an even number.*\(None, 3\)"):
        ae_multi.VariationalAutoencoder(encoder=part(5, 3), decoder=part(2, 5))
    with pytest.raises(InputError, match=r"beta to be a number of at least 0\. Received: -1"):
        ae_multi.VariationalAutoencoder(-1)
