"""`fit` of estimators, resumed from checkpoints."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import ae_multi
from ae_multi.estimators import base

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

IMAGES = np.random.default_rng(0).random((40, 6, 6), np.float32)
SMALL = {"epochs": 8, "batch_size": 16, "early_stopping": True, "patience": 6}
ESTIMATORS = {
    "transformer": (ae_multi.AutoencoderTransformer, {"latent_dim": 2, "hidden": (5,)}, ()),
    "detector": (ae_multi.AnomalyDetector, {"latent_dim": 2, "hidden": (5,)}, ()),
    "denoiser": (ae_multi.Denoiser, {"model": "deep", "hidden": (5,)}, ()),
    "segmenter": (ae_multi.Segmenter, {"filters": (2, 3)}, (IMAGES > 0.5,)),
}


class StoppedError(Exception):
    """Raised to stop a training."""


@pytest.fixture
def epochs(monkeypatch):
    """Return the list of trained epochs; training stops before the epoch ``epochs.stop``."""
    real = base.learning_rates

    class Epochs(list):
        stop = None

    seen = Epochs()

    def learning_rates(estimator, epochs):
        rate = real(estimator, epochs)

        def recorded_rate(epoch):
            if epoch == seen.stop:
                raise StoppedError
            seen.append(epoch)
            return rate(epoch)

        return recorded_rate

    monkeypatch.setattr(base, "learning_rates", learning_rates)
    return seen


def assert_equal(one, other):
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_loss_curve_ == other.validation_loss_curve_
    assert one.n_iter_ == other.n_iter_
    for a, b in zip(one.network_.get_weights(), other.network_.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["transformer", *(pytest.param(name, marks=pytest.mark.once) for name in [*ESTIMATORS][1:])],
)
def test_stopped_fit_resumes_and_finished_fit_does_not_train(name, epochs, tmp_path):
    cls, parameters, targets = ESTIMATORS[name]
    parameters = {**SMALL, **parameters}
    uninterrupted = cls(**parameters).fit(IMAGES, *targets)
    assert epochs == list(range(8))
    epochs.clear()
    saved = cls(**parameters, checkpoint=tmp_path / "saved")
    epochs.stop = 5
    with pytest.raises(StoppedError):
        clone(saved).fit(IMAGES, *targets)
    assert epochs == [0, 1, 2, 3, 4]
    epochs.stop = None
    again = clone(saved).fit(IMAGES, *targets)
    assert epochs == list(range(8))
    assert_equal(again, uninterrupted)
    assert_equal(clone(saved).fit(IMAGES, *targets), uninterrupted)
    assert epochs == list(range(8))


@pytest.mark.once
def test_different_fits_may_use_one_checkpoint_folder(epochs, tmp_path):
    def fit(images=IMAGES, **parameters):
        epochs.clear()
        cls, defaults, _ = ESTIMATORS["transformer"]
        parameters = {"epochs": 2, "batch_size": 16, **defaults, **parameters}
        cls(**parameters, checkpoint=tmp_path).fit(images)
        return len(epochs)

    model = ae_multi.SimpleAutoencoder(latent_dim=2, input_shape=(6, 6), seed=0)
    other = ae_multi.SimpleAutoencoder(latent_dim=2, input_shape=(6, 6), seed=1)
    fits = [
        {}, {"epochs": 3}, {"random_state": 1}, {"images": IMAGES[1:]}, {"model": model},
        {"model": other},
    ]  # fmt: skip
    assert [fit(**each) for each in fits] == [2, 3, 2, 2, 2, 2]
    assert len(list(tmp_path.glob("*/lock"))) == len(fits)
    assert [fit(**each) for each in fits] == [0] * len(fits)
    # Parameters that do not affect the result use the same checkpoint.
    assert fit(verbose=1, checkpoint_every="3 steps") == 0


@pytest.mark.once
def test_finished_fits_of_a_grid_search_are_reused(epochs, tmp_path):
    cls, parameters, _ = ESTIMATORS["transformer"]
    estimator = cls(**parameters, epochs=2, batch_size=16, checkpoint=tmp_path)
    search = GridSearchCV(estimator, {"latent_dim": [1, 2]}, cv=2, error_score="raise")
    first = clone(search).fit(IMAGES)
    trained = len(epochs)
    assert trained == 2 * 5
    again = clone(search).fit(IMAGES)
    assert len(epochs) == trained
    np.testing.assert_array_equal(
        first.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"]
    )


@pytest.mark.once
def test_loaded_estimator_has_the_checkpoint_folder_of_the_saved_one(tmp_path):
    cls, parameters, _ = ESTIMATORS["transformer"]
    fitted = cls(**parameters, epochs=1, checkpoint=tmp_path / "saved").fit(IMAGES)
    fitted.save(tmp_path / "one.ae")
    loaded = ae_multi.load_estimator(tmp_path / "one.ae")
    assert loaded.checkpoint == str(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.transform(IMAGES), fitted.transform(IMAGES))


@pytest.mark.once
def test_invalid_checkpoint_parameters_are_refused(tmp_path):
    def estimator(**parameters):
        cls, defaults, _ = ESTIMATORS["transformer"]
        return cls(**{**defaults, "epochs": 1, "checkpoint": tmp_path, **parameters})

    for parameters, message in (
        ({"checkpoint": 3}, r"checkpoint to be a folder or None\. Received: 3"),
        ({"checkpoint_every": "often"}, "such as '1 epoch'"),
        ({"random_state": None}, "a random_state with checkpoint"),
    ):
        with pytest.raises(ae_multi.InputError, match=message):
            estimator(**parameters).fit(IMAGES)
    with pytest.raises(ae_multi.InputError, match="checkpoint=None with fit_chunks"):
        estimator().fit_chunks([IMAGES])
    with pytest.raises(ae_multi.InputError, match="checkpoint=None with partial_fit"):
        estimator().partial_fit(IMAGES)
    assert not list(tmp_path.glob("*/lock"))
