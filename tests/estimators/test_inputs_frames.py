"""Data frames as inputs of estimators."""

import importlib

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.once]


def frame_of(library, values):
    module = importlib.import_module(library)
    return module.DataFrame({"a": values[:, 0], "b": values[:, 1], "c": np.arange(len(values))})


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_set_feature_names_and_are_returned(library):
    frame = frame_of(library, np.random.default_rng(0).random((20, 2)))
    transformer = ae_multi.AutoencoderTransformer("simple", latent_dim=2, epochs=1).fit(frame)
    assert transformer.feature_names_in_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(frame[["b", "a", "c"]])
    codes = transformer.transform(frame)
    framed = transformer.set_output(transform=library).transform(frame)
    assert type(framed) is type(frame)
    assert list(framed.columns) == transformer.get_feature_names_out().tolist()
    np.testing.assert_array_equal(framed.to_numpy(), codes)
    # Columns of different types are converted to one array.
    array = frame.to_numpy().astype(np.float64)
    expected = ae_multi.AutoencoderTransformer("simple", latent_dim=2, epochs=1).fit(array)
    np.testing.assert_array_equal(expected.transform(array), codes)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_other_estimators_accept_frames(library):
    values = np.random.default_rng(0).random((40, 2))
    frame, array = frame_of(library, values), frame_of(library, values).to_numpy().astype(float)
    detector = ae_multi.AnomalyDetector("simple", epochs=1)
    np.testing.assert_array_equal(
        detector.fit(frame).score_samples(frame), detector.fit(array).score_samples(array)
    )
    denoiser = ae_multi.Denoiser("simple", epochs=1)
    np.testing.assert_array_equal(
        denoiser.fit(frame).transform(frame), denoiser.fit(array).transform(array)
    )


@pytest.mark.parametrize(("library", "missing"), [("pandas", np.nan), ("polars", None)])
def test_frame_with_missing_values_or_text_is_refused(library, missing):
    module = importlib.import_module(library)
    with pytest.raises(ValueError, match="NaN"):
        ae_multi.AutoencoderTransformer().fit(
            module.DataFrame({"a": [0.5, missing], "b": [1.0, 2.0]})
        )
    with pytest.raises(ValueError, match="could not convert string to float"):
        ae_multi.AutoencoderTransformer().fit(module.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]}))


def test_array_likes_are_accepted(table):
    class Table:
        shape = table.shape

        def __array__(self, dtype=None, copy=None):
            return np.asarray(table, dtype)

        def __len__(self):
            return len(table)

    transformer = ae_multi.AutoencoderTransformer("simple", epochs=1).fit(Table())
    np.testing.assert_array_equal(transformer.reconstruct(Table()), transformer.reconstruct(table))
