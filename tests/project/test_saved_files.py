"""Files written by version 0.1 on PyTorch load on every backend."""

import shutil

import numpy as np
import pytest

import ae_multi
from tests.reference.pages import ROOT

pytestmark = pytest.mark.backend

SAVED = ROOT / "tests" / "data" / "saved_0_1"


@pytest.fixture(scope="module")
def expected():
    """Return the inputs, and the outputs of each file when it was written."""
    with np.load(SAVED / "expected.npz") as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", ["simple", "variational"])
def test_saved_model_loads(name, expected):
    model = ae_multi.load_model(SAVED / f"{name}.keras")
    outputs = model.predict(expected["x"], verbose=0)
    np.testing.assert_allclose(outputs, expected[name], atol=1e-5)


def test_saved_model_loads_with_keras(expected):
    from ae_multi._keras import keras

    model = keras.saving.load_model(SAVED / "simple.keras")
    outputs = model.predict(expected["x"], verbose=0)
    np.testing.assert_allclose(outputs, expected["simple"], atol=1e-5)


def test_saved_estimator_loads(expected):
    detector = ae_multi.load_estimator(SAVED / "detector.ae")
    scores = detector.score_samples(expected["x"])
    np.testing.assert_allclose(scores, expected["detector"], rtol=1e-4)


def test_saved_checkpoint_resumes(tmp_path, expected):
    from ae_multi._keras import keras

    folder = tmp_path / "checkpoint"
    shutil.copytree(SAVED / "checkpoint", folder)
    model = ae_multi.SimpleAutoencoder(input_shape=(4, 4), latent_dim=3, seed=1)
    model.compile(keras.optimizers.Adam(1e-2))
    history = ae_multi.fit(
        model,
        expected["x"],
        epochs=3,
        batch_size=8,
        seed=3,
        verbose=0,
        checkpoint=folder,
        resume=True,
    )
    assert history.resumed_from.epoch == 2
    np.testing.assert_allclose(history.history["loss"], expected["resumed_loss"], rtol=1e-4)
    outputs = model.predict(expected["x"], verbose=0)
    np.testing.assert_allclose(outputs, expected["resumed"], atol=1e-4)
