"""Scaling of values of any size."""

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import InputError
from ae_multi.estimators.scaling import Scaling, scale, unscale

pytestmark = [pytest.mark.backend, pytest.mark.once]

X = np.random.default_rng(0).normal(size=(40, 3))
SMALL = {"model": "simple", "latent_dim": 2, "epochs": 2}


def learned(kind, *chunks):
    scaling = Scaling(kind, each=True)
    for chunk in chunks:
        scaling.update(chunk)
    return scaling.learned()


@pytest.mark.parametrize("kind", ["minmax", "standard"])
@pytest.mark.parametrize("exponent", [-1000, -600, 0, 400, 600, 1000])
def test_scaling_is_invariant_to_the_unit(kind, exponent):
    """Powers of two are exact, so that scaled values are bit-identical."""
    offset, span = learned(kind, X)
    unit = 2.0**exponent
    unit_offset, unit_span = learned(kind, X * unit)
    np.testing.assert_array_equal(unit_offset, offset * unit)
    np.testing.assert_array_equal(unit_span, span * unit)
    scaled = scale(X * unit, unit_offset, unit_span)
    np.testing.assert_array_equal(scaled, scale(X, offset, span))
    restored = unscale(scaled, unit_offset, unit_span)
    np.testing.assert_allclose(restored, X * unit, rtol=1e-4, atol=1e-6 * unit)


def test_chunks_of_different_magnitude_are_scaled_together():
    chunks = [X * 1e-250, X * 1e200, X]
    offset, span = learned("standard", *chunks)
    rows = np.concatenate(chunks) / 1e200
    np.testing.assert_allclose(offset / 1e200, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(span / 1e200, rows.std(axis=0), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["minmax", "standard"])
@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_estimators_accept_values_beyond_float32(kind, unit):
    x = X * [1, unit, 1]
    plain = ae_multi.AutoencoderTransformer(**SMALL, scale=kind).fit(X)
    for cls in (ae_multi.AutoencoderTransformer, ae_multi.AnomalyDetector, ae_multi.Denoiser):
        fitted = cls(**SMALL, scale=kind).fit(x)
        assert np.isfinite(fitted.loss_curve_).all()
    reducer = ae_multi.AutoencoderTransformer(**SMALL, scale=kind).fit(x)
    np.testing.assert_allclose(reducer.transform(x), plain.transform(X), rtol=1e-4, atol=1e-5)
    expected = plain.reconstruct(X) * [1, unit, 1]
    np.testing.assert_allclose(reducer.reconstruct(x), expected, rtol=1e-3, atol=0)
    assert np.isfinite(reducer.transform(X.astype(np.float32))).all()


def test_values_around_a_large_offset_are_scaled():
    fitted = ae_multi.AnomalyDetector(**SMALL, scale="standard").fit(X * 1e20 + [1e30, 0, 0])
    assert np.isfinite(fitted.loss_curve_).all()


def test_error_names_a_column_whose_range_overflows():
    x = np.where(X > 0, 1.7e308, -1.7e308) * [0, 1, 0]
    for kind in ("minmax", "standard"):
        with pytest.raises(InputError, match=r"-1\.7e\+308 to 1\.7e\+308 in the column 1"):
            ae_multi.AnomalyDetector(**SMALL, scale=kind).fit(x)


def test_values_beyond_float32_are_refused_without_scaling(keras):
    with pytest.raises(InputError, match=r"up to 3\.4e\+38.*e\+\d+ at index \[\d+, \d\]"):
        ae_multi.AnomalyDetector(**SMALL, scale=None).fit(X * 1e200)
    parts = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)]) for _ in range(2)]
    model = ae_multi.Autoencoder(*parts)
    model.compile()
    with pytest.raises(InputError, match=r"up to 3\.4e\+38"):
        model.fit(X * 1e200, verbose=0)


def test_export_of_values_beyond_float32_is_refused(tmp_path):
    reducer = ae_multi.AutoencoderTransformer(**SMALL).fit(X * 1e200)
    with pytest.raises(InputError, match="samples in the range of float32"):
        reducer.export(tmp_path / "one.onnx", data=X * 1e200)
