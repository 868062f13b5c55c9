"""Estimators and models under Keras's half-precision settings: NumPy results are float32."""

import numpy as np
import pytest

import ae_multi

pytestmark = pytest.mark.backend

ROWS = np.random.default_rng(0).random((24, 6)).astype(np.float32)
IMAGES = np.random.default_rng(0).random((24, 6, 6)).astype(np.float32)


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request, keras):
    """Set the global dtype policy to half precision for one test."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def assert_is_finite_numpy(values):
    assert isinstance(values, np.ndarray)
    assert values.dtype in (np.float32, np.float64)
    assert np.isfinite(values).all()


def test_detector_returns_float32_and_loads_unchanged(policy, tmp_path):
    detector = ae_multi.AnomalyDetector("simple", epochs=2).fit(ROWS)
    assert_is_finite_numpy(detector.score_samples(ROWS))
    assert_is_finite_numpy(detector.feature_errors(ROWS))
    assert {each.dtype for each in detector.score_constants_.values()} == {np.dtype(np.float32)}
    detector.save(tmp_path / "one.ae")
    loaded = ae_multi.load_estimator(tmp_path / "one.ae")
    np.testing.assert_array_equal(loaded.score_samples(ROWS), detector.score_samples(ROWS))


@pytest.mark.once
def test_other_estimators_return_float32(policy):
    transformer = ae_multi.AutoencoderTransformer("simple", latent_dim=2, epochs=2).fit(ROWS)
    codes = transformer.transform(ROWS)
    for values in (codes, transformer.inverse_transform(codes), transformer.reconstruct(ROWS)):
        assert_is_finite_numpy(values)
        assert values.dtype == np.float32
    denoiser = ae_multi.Denoiser("simple", epochs=2).fit(ROWS)
    assert_is_finite_numpy(denoiser.transform(ROWS))
    assert np.isfinite(denoiser.score(ROWS))
    segmenter = ae_multi.Segmenter(filters=(2, 3), epochs=2).fit(IMAGES, IMAGES > 0.5)
    assert_is_finite_numpy(segmenter.predict_proba(IMAGES))
    assert segmenter.predict(IMAGES).dtype == bool


@pytest.mark.parametrize("family", ["contractive", "sparse", "variational", "vector_quantized"])
def test_families_train_and_return_float32(family, keras):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        transformer = ae_multi.AutoencoderTransformer(family, latent_dim=4, epochs=2).fit(ROWS)
        assert_is_finite_numpy(transformer.transform(ROWS))
        assert np.isfinite(transformer.loss_curve_).all()
        network = transformer.network_
        assert network.reconstruct(ROWS).dtype == network.encode(ROWS).dtype == np.float32
    finally:
        keras.config.set_dtype_policy("float32")
