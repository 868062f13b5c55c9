"""`Denoiser`: noise removal learned from clean samples or pairs."""

import numpy as np
import pytest

import ae_multi
from ae_multi.randomness import streams

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture(scope="module")
def noisy(digits):
    noise = 0.4 * streams.normal(7, "test/noise", digits.x_test.shape)
    return np.clip(digits.x_test + noise, 0, 1).astype(np.float32)


def psnr(images, clean):
    return np.mean(10 * np.log10(1 / np.mean((images - clean) ** 2, axis=(1, 2, 3))))


@pytest.fixture(scope="module")
def fitted(digits):
    return ae_multi.Denoiser(
        "deep",
        noise=0.4,
        hidden=(256,),
        latent_dim=64,
        scale=None,
        epochs=40,
        batch_size=64,
        learning_rate=2e-3,
    ).fit(digits.x_train)


@pytest.fixture(scope="module")
def unet(digits):
    return ae_multi.Denoiser(
        noise=0.4, hidden=(8, 16, 32), scale=None, epochs=12, learning_rate=5e-3
    ).fit(digits.x_train)


@pytest.mark.slow
def test_denoiser_beats_the_linear_filter(digits, noisy, fitted, unet):
    """The baseline is the best linear map on training images with the same noise."""
    noise = 0.4 * streams.normal(8, "test/noise", digits.x_train.shape)
    x = np.clip(digits.x_train + noise, 0, 1).reshape(len(noise), -1)
    y = digits.x_train.reshape(len(x), -1)
    mean_x, mean_y = x.mean(axis=0), y.mean(axis=0)
    covariance = (x - mean_x).T @ (x - mean_x) + len(x) * 1e-2 * np.eye(784)
    filtered = mean_y + (noisy.reshape(360, -1) - mean_x) @ np.linalg.solve(
        covariance, (x - mean_x).T @ (y - mean_y)
    )
    baseline = psnr(filtered.reshape(noisy.shape).clip(0, 1), digits.x_test)
    assert psnr(fitted.transform(noisy), digits.x_test) > baseline + 0.2
    assert psnr(unet.transform(noisy), digits.x_test) > baseline + 0.5
    assert baseline > psnr(noisy, digits.x_test) + 5


def test_default_model_is_a_unet_for_images_and_dense_for_tables(digits, unet):
    assert isinstance(unet.network_, ae_multi.RestorationNetwork)
    assert unet.network_.noise == 0.4
    assert unet.network_.loss == "binary_crossentropy"
    rows = digits.x_train[:40].reshape(40, -1)
    dense = ae_multi.Denoiser(epochs=1, hidden=(4,), latent_dim=2).fit(rows)
    assert isinstance(dense.network_, ae_multi.Autoencoder)
    assert dense.network_.loss == "mse"
    again = ae_multi.Denoiser(epochs=1, hidden=(2, 2), image_shape=(28, 28)).fit(rows)
    assert again.transform(rows).shape == rows.shape
    assert again.network_.filters == (2, 2)
    with pytest.raises(ae_multi.InputError, match=r"images for the model 'unet'.*\(784,\)"):
        ae_multi.Denoiser("unet").fit(rows)
    with pytest.raises(ae_multi.InputError, match="activation='auto' for the model 'unet'"):
        ae_multi.Denoiser("unet", activation="elu").fit(digits.x_train[:4])


def test_denoiser_restores_images_of_any_scale(digits):
    """With standard scaling the outputs are linear and not clipped."""
    x = 1000 * digits.x_train[:400] - 300
    denoiser = ae_multi.Denoiser(
        noise=0.5, hidden=(8, 16), scale="standard", epochs=15, learning_rate=5e-3
    ).fit(x)
    assert denoiser.network_.loss == "mse"
    deviation = x.std()
    noisy = x + 0.5 * deviation * streams.normal(5, "test/noise", x.shape)
    assert np.std(denoiser.transform(noisy) - x) < 0.3 * deviation


def test_score_is_the_negative_mse_to_clean_samples(digits, noisy, fitted):
    expected = -np.mean((fitted.transform(noisy) - digits.x_test) ** 2)
    assert fitted.score(noisy, digits.x_test) == pytest.approx(expected, rel=1e-5)
    score = fitted.score(digits.x_test)
    assert score == fitted.score(digits.x_test)
    assert score == pytest.approx(expected, rel=0.1)


def test_noise_is_drawn_in_each_step_and_absent_in_transform(digits, fitted):
    noise = fitted.network_.encoder.layers[0]
    assert type(noise).__name__ == "GaussianNoise"
    assert int(noise.step) == 40 * 23
    np.testing.assert_array_equal(
        fitted.transform(digits.x_test[:9]), fitted.transform(digits.x_test[:9])
    )


def test_denoiser_learns_other_noise_from_pairs(digits):
    """The pairs are images with and without stripes."""
    striped = digits.x_train.copy()
    striped[:, ::4] = 1
    denoiser = ae_multi.Denoiser("deep", hidden=(64,), scale=None, epochs=10, batch_size=64)
    denoiser.fit(striped, digits.x_train)
    test = digits.x_test.copy()
    test[:, ::4] = 1
    restored = denoiser.transform(test)
    assert psnr(restored, digits.x_test) > psnr(test, digits.x_test) + 6
    assert denoiser.pairs_
    assert denoiser.score(test, digits.x_test) > -0.04


def test_restored_values_have_the_units_of_the_inputs():
    rng = np.random.default_rng(0)
    t = rng.uniform(-1, 1, (300, 1))
    clean = np.hstack([1000 * t, 5 + t**2, -t])
    denoiser = ae_multi.Denoiser(noise=0.1, hidden=(64,), latent_dim=4, epochs=150, batch_size=32)
    restored = denoiser.fit(clean).transform(clean + rng.normal(0, [100, 0.05, 0.1], (300, 3)))
    assert (np.std(restored - clean, axis=0) < [130, 0.1, 0.13]).all()
    assert denoiser.get_feature_names_out().tolist() == ["x0", "x1", "x2"]


def test_mismatched_pairs_are_refused(digits, fitted):
    x = digits.x_train[:20]
    denoiser = ae_multi.Denoiser("simple", epochs=1)
    with pytest.raises(ae_multi.InputError, match=r"clean sample for each of the 20 .*: 19"):
        denoiser.fit(x, x[:19])
    with pytest.raises(ae_multi.InputError, match=r"shape \(28, 28, 1\), as in fit"):
        denoiser.fit(x, x.reshape(20, 1, 28, 28))
    with pytest.raises(ValueError, match="is expecting 784 features"):
        denoiser.fit(x, x[:, :5])
    with pytest.raises(ae_multi.InputError, match="clean samples alone, as in the first call"):
        fitted.partial_fit(x, x)
    for noise in (0, -1, "much"):
        with pytest.raises(ae_multi.InputError, match="noise to be a number above 0"):
            ae_multi.Denoiser(noise=noise).fit(x)
