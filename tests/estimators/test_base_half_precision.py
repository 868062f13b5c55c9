"""Estimators and models under Keras's half-precision settings: NumPy results are float32."""

import numpy as np
import pytest

import ae_multi

pytestmark = pytest.mark.backend

ROWS = np.random.default_rng(0).random((24, 6)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((24, 6, 6)).astype(np.float32)


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request, keras):
    """A global half-precision policy for one test."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def check(values):
    assert isinstance(values, np.ndarray)
    assert values.dtype in (np.float32, np.float64)
    assert np.isfinite(values).all()


def test_detector_returns_float32_and_round_trips(policy, tmp_path):
    detector = ae_multi.AnomalyDetector("simple", epochs=2).fit(ROWS)
    check(detector.score_samples(ROWS))
    check(detector.feature_errors(ROWS))
    assert detector.codes_.dtype == np.float32
    detector.save(tmp_path / "one.ae")
    loaded = ae_multi.load_estimator(tmp_path / "one.ae")
    np.testing.assert_array_equal(loaded.score_samples(ROWS), detector.score_samples(ROWS))


@pytest.mark.once
def test_other_estimators_return_float32(policy):
    transformer = ae_multi.AutoencoderTransformer("simple", latent_dim=2, epochs=2).fit(ROWS)
    codes = transformer.transform(ROWS)
    for values in (codes, transformer.inverse_transform(codes), transformer.reconstruct(ROWS)):
        check(values)
        assert values.dtype == np.float32
    denoiser = ae_multi.Denoiser("simple", epochs=2).fit(ROWS)
    check(denoiser.transform(ROWS))
    assert np.isfinite(denoiser.score(ROWS))
    segmenter = ae_multi.Segmenter(filters=(2, 3), epochs=2).fit(IMAGES, IMAGES > 0.5)
    check(segmenter.predict_proba(IMAGES))
    assert segmenter.predict(IMAGES).dtype == bool


@pytest.mark.parametrize("family", ["contractive", "sparse", "variational", "vector_quantized"])
def test_families_train_and_return_float32(family, keras):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        transformer = ae_multi.AutoencoderTransformer(family, latent_dim=4, epochs=2).fit(ROWS)
        check(transformer.transform(ROWS))
        assert np.isfinite(transformer.loss_curve_).all()
        network = transformer.network_
        assert network.reconstruct(ROWS).dtype == network.encode(ROWS).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
