"""scikit-learn's estimator checks, and what all estimators have in common."""

import os
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.once]

SMALL = {"model": "simple", "latent_dim": 2, "epochs": 2}

# Checks that scikit-learn skips, since they need packages that are not installed.
SKIPPED = {"check_array_api_input", "check_classifier_data_not_an_array"}

_ROUNDING = (
    "Scores have to be float64, and are then held to 1e-7, but networks compute in float32, where "
    "a product's rounding depends on a sample's place and company in its batch (2e-7 was seen)."
)
EXPECTED_FAILED_CHECKS = {
    "check_methods_sample_order_invariance": _ROUNDING,
    "check_methods_subset_invariance": _ROUNDING,
}


class CleanDenoiser(ae_multi.Denoiser):
    """A `Denoiser` that ignores y.

    The checks of scikit-learn pass class labels as y, which are no clean samples.
    """

    def fit(self, X, y=None):  # noqa: N803
        return super().fit(X)

    def partial_fit(self, X, y=None):  # noqa: N803
        return super().partial_fit(X)

    def score(self, X, y=None):  # noqa: N803
        return super().score(X)


CLASSES = (ae_multi.AnomalyDetector, ae_multi.AutoencoderTransformer, CleanDenoiser)


@pytest.mark.parametrize("cls", CLASSES)
def test_all_scikit_learn_checks_pass(cls):
    """In full for the class that most checks are for.

    Each takes more than a hundred fits; AE_MULTI_ALL_CHECKS=1 has them all, on every backend.
    """
    if cls is not ae_multi.AnomalyDetector and not os.environ.get("AE_MULTI_ALL_CHECKS"):
        pytest.skip("AE_MULTI_ALL_CHECKS is not set")
    results = estimator_checks.check_estimator(
        cls(**SMALL),
        expected_failed_checks=EXPECTED_FAILED_CHECKS,
        on_skip=None,
        on_fail="raise",
    )
    names = {status: set() for status in ("passed", "skipped", "xfail", "failed")}
    for each in results:
        names[each["status"]].add(each["check_name"])
        if each["status"] == "xfail":
            # Scores may round differently; labels may not.
            assert re.search("score_samples|decision_function", str(each["exception"]))
    assert len(names["passed"]) > 40
    assert names["skipped"] <= SKIPPED
    assert not names["failed"]


@pytest.mark.parametrize(
    "check", ["check_fit_idempotent", "check_estimators_pickle", "check_n_features_in"]
)
@pytest.mark.parametrize("cls", CLASSES)
def test_selected_scikit_learn_checks_pass(check, cls):
    getattr(estimator_checks, check)(cls.__name__, cls(**SMALL))


@pytest.mark.parametrize(
    "check",
    [
        "check_fit_score_takes_y",
        "check_set_output_transform",
        "check_transformer_data_not_an_array",
        "check_transformer_general",
        "check_transformer_get_feature_names_out",
        "check_transformer_n_iter",
        "check_transformer_preserve_dtypes",
        "check_transformers_unfitted",
    ],
)
@pytest.mark.parametrize("cls", CLASSES[1:])
def test_transformer_checks_pass(check, cls):
    getattr(estimator_checks, check)(cls.__name__, cls(**SMALL))


@pytest.mark.parametrize(
    "check",
    [
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_get_params_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_segmenter_passes_the_checks_without_tables(check):
    """The other checks pass tables, for which a `Segmenter` is not made."""
    getattr(estimator_checks, check)("Segmenter", ae_multi.Segmenter())


IMAGES = np.random.default_rng(0).random((24, 6, 6), np.float32)
MASKS = IMAGES > 0.5


@pytest.fixture(scope="module")
def fitted():
    """Each estimator, fitted on images."""
    return {
        "transformer": ae_multi.AutoencoderTransformer(**SMALL).fit(IMAGES),
        "detector": ae_multi.AnomalyDetector(**SMALL).fit(IMAGES),
        "denoiser": ae_multi.Denoiser(**SMALL).fit(IMAGES),
        "unet": ae_multi.Denoiser(hidden=(2, 3), epochs=2).fit(IMAGES),
        "segmenter": ae_multi.Segmenter(filters=(2, 3), epochs=2).fit(IMAGES, MASKS),
    }


ANSWERS = {
    "transformer": "transform",
    "detector": "decision_function",
    "denoiser": "transform",
    "unet": "transform",
    "segmenter": "predict_proba",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_unfitted_estimator_raises_not_fitted_error(name, fitted, tmp_path):
    estimator = clone(fitted[name])
    with pytest.raises(NotFittedError):
        getattr(estimator, ANSWERS[name])(IMAGES)
    with pytest.raises(NotFittedError):
        estimator.save(tmp_path / "unfitted.ae")


@pytest.mark.parametrize("name", ANSWERS)
def test_failed_fit_leaves_the_estimator_unfitted(name, fitted):
    estimator = clone(fitted[name]).set_params(model="no_such_model")
    with pytest.raises(ae_multi.InputError, match="no_such_model"):
        estimator.fit(IMAGES, MASKS)
    with pytest.raises(NotFittedError):
        getattr(estimator, ANSWERS[name])(IMAGES)


@pytest.mark.parametrize("name", ANSWERS)
def test_pickled_estimator_predicts_and_trains_identically(name, fitted):
    estimator = pickle.loads(pickle.dumps(fitted[name]))
    other = pickle.loads(pickle.dumps(fitted[name]))
    answer = getattr(fitted[name], ANSWERS[name])(IMAGES)
    np.testing.assert_array_equal(getattr(estimator, ANSWERS[name])(IMAGES), answer)
    target = {"segmenter": (MASKS,)}.get(name, ())
    for each in (estimator, other):
        each.partial_fit(IMAGES, *target)
    # The optimizer's state is part of the pickle.
    assert int(estimator.network_.optimizer.iterations) == 3
    again = getattr(estimator, ANSWERS[name])(IMAGES)
    assert not np.array_equal(again, answer)
    np.testing.assert_array_equal(getattr(other, ANSWERS[name])(IMAGES), again)
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
