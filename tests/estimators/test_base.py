"""Behaviour of all estimators."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.once]

SMALL = {"model": "simple", "latent_dim": 2, "epochs": 2}
IMAGES = np.random.default_rng(0).random((24, 6, 6), np.float32)
MASKS = IMAGES > 0.5


@pytest.fixture(scope="module")
def fitted():
    """Return each estimator by name, fitted on images."""
    return {
        "transformer": ae_multi.AutoencoderTransformer(**SMALL).fit(IMAGES),
        "detector": ae_multi.AnomalyDetector(**SMALL).fit(IMAGES),
        "denoiser": ae_multi.Denoiser(**SMALL).fit(IMAGES),
        "unet": ae_multi.Denoiser(hidden=(2, 3), epochs=2).fit(IMAGES),
        "segmenter": ae_multi.Segmenter(filters=(2, 3), epochs=2).fit(IMAGES, MASKS),
    }


METHODS = {
    "transformer": "transform",
    "detector": "decision_function",
    "denoiser": "transform",
    "unet": "transform",
    "segmenter": "predict_proba",
}


@pytest.mark.parametrize("name", METHODS)
def test_unfitted_estimator_raises_not_fitted_error(name, fitted, tmp_path):
    estimator = clone(fitted[name])
    with pytest.raises(NotFittedError):
        getattr(estimator, METHODS[name])(IMAGES)
    with pytest.raises(NotFittedError):
        estimator.save(tmp_path / "unfitted.ae")


@pytest.mark.parametrize("name", METHODS)
def test_failed_fit_leaves_the_estimator_unfitted(name, fitted):
    estimator = clone(fitted[name]).set_params(model="no_such_model")
    with pytest.raises(ae_multi.InputError, match="no_such_model"):
        estimator.fit(IMAGES, MASKS)
    with pytest.raises(NotFittedError):
        getattr(estimator, METHODS[name])(IMAGES)


@pytest.mark.parametrize("name", METHODS)
def test_pickled_estimator_predicts_and_trains_identically(name, fitted):
    estimator = pickle.loads(pickle.dumps(fitted[name]))
    other = pickle.loads(pickle.dumps(fitted[name]))
    output = getattr(fitted[name], METHODS[name])(IMAGES)
    np.testing.assert_array_equal(getattr(estimator, METHODS[name])(IMAGES), output)
    target = {"segmenter": (MASKS,)}.get(name, ())
    for each in (estimator, other):
        each.partial_fit(IMAGES, *target)
    # The optimizer's state is part of the pickle.
    assert int(estimator.network_.optimizer.iterations) == 3
    trained = getattr(estimator, METHODS[name])(IMAGES)
    assert not np.array_equal(trained, output)
    np.testing.assert_array_equal(getattr(other, METHODS[name])(IMAGES), trained)
    assert len(estimator.loss_curve_) == 3


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epochs": 0}, "epochs to be an integer of at least 1. Received: 0"),
        ({"epochs": None}, "epochs to be an integer or 'auto'"),
        ({"batch_size": 2.5}, "batch_size .* Received: 2.5"),
        ({"learning_rate": 0}, "learning_rate to be a number above 0. Received: 0"),
        ({"validation_fraction": 1.0}, "validation_fraction .* above 0 and below 1"),
        ({"scale": "max"}, "scale to be 'minmax', 'standard' or None. Received: 'max'"),
        ({"model": "wide"}, "one of simple, deep, conv, .*or a Keras model. Received: 'wide'"),
        ({"model": 3}, "a name or a Keras model. Received: int"),
        ({"model": "conv", "scale": "standard"}, "scale='minmax' or None for the model 'conv'"),
        ({"hidden": "wide"}, "hidden to be sizes or 'auto'"),
        ({"hidden": (3, 0)}, "hidden .* Received: 0"),
        ({"model": "deep", "activation": "wavy"}, "activation to be .*Received: 'wavy'"),
        ({"model": "conv", "activation": "elu"}, "activation='auto' for the model 'conv'"),
        ({"latent_dim": -1}, "latent_dim .* Received: -1"),
        ({"random_state": -1}, "seed"),
        ({"image_shape": (5, 5)}, r"image_shape \(5, 5\), 25 values each. Received: 36 values"),
    ],
    ids=str,
)
def test_invalid_parameters_are_refused(parameters, message):
    with pytest.raises(ae_multi.InputError, match=message):
        ae_multi.AutoencoderTransformer(**{**SMALL, **parameters}).fit(IMAGES)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((4, 3), np.nan), "contains NaN"),
        ([["a", "b"], ["c", "d"]], "could not convert string to float"),
        (np.zeros((1, 3)), "Found array with 1 sample"),
        (np.zeros((0, 3)), "Found array with 0 sample"),
        (np.zeros((0, 3, 3)), "Found array with 0 sample"),
        (np.zeros(3), "Expected 2D array, got 1D"),
        (np.zeros((4, 3), complex), "Complex data not supported"),
    ],
    ids=["nan", "text", "one", "none", "no image", "flat", "complex"],
)
def test_invalid_samples_raise_scikit_learn_errors(x, message):
    with pytest.raises(ValueError, match=message):
        ae_multi.AnomalyDetector(**SMALL).fit(x)


def test_samples_of_another_shape_than_in_fit_are_refused(fitted):
    with pytest.raises(ValueError, match="X has 35 features, but AnomalyDetector is expecting 36"):
        fitted["detector"].predict(np.zeros((4, 35)))
    with pytest.raises(ae_multi.InputError, match=r"shape \(6, 6\), as in fit. Received: \(4, 9\)"):
        fitted["detector"].predict(np.zeros((4, 4, 9)))
    flat = fitted["detector"].score_samples(IMAGES.reshape(24, 36))
    np.testing.assert_array_equal(flat, fitted["detector"].score_samples(IMAGES))
