"""Recipes, trainings and the quality of reconstructions."""

import numpy as np
import pytest

from ae_multi.compare import TrainingConfig
from ae_multi.errors import InputError
from ae_multi.metrics import psnr, squared_errors


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "huge"}, "simple, deep, .*segmentation. Received: 'huge'"),
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size"),
        ({"latent_dim": -1}, "latent_dim"),
        ({"learning_rate": 0.0}, "learning_rate above 0"),
        ({"learning_rate": float("nan")}, "learning_rate above 0"),
        ({"seed": -1}, "seed"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_recipe_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainingConfig(**changes)


def test_a_recipe_travels():
    config = TrainingConfig("simple", latent_dim=5, seed=3)
    assert TrainingConfig(**config.to_json()) == config


@pytest.mark.parametrize(
    ("samples", "epochs"), [(60_000, 15), (6_000, 150), (1437, 200), (10_000_000, 1)]
)
def test_epochs_suit_the_size_of_the_data(samples, epochs):
    assert TrainingConfig().epochs_for(samples) == epochs
    assert TrainingConfig(epochs=3).epochs_for(samples) == 3


def test_squared_errors_are_each_samples_own():
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 5000, 3, 4, 1), np.float32)
    expected = ((x.astype(np.float64) - y) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(squared_errors(x, y), expected, rtol=1e-12)


def test_psnr_equals_its_formula():
    assert psnr(np.array([0.01, 0.0001])) == pytest.approx((20 + 40) / 2)
    assert psnr(np.array([0.0])) == 100


@pytest.mark.backend
def test_training_learns_and_is_timed(digits):
    from ae_multi.compare.train import build, train

    config = TrainingConfig("simple", latent_dim=8, epochs=30)
    model = build(config, digits.image_shape)
    epochs = []
    training = train(model, digits.x_train, config, lambda *event: epochs.append(event))
    assert [event[:2] for event in epochs] == [(epoch, 30) for epoch in range(1, 31)]
    assert [event[2] for event in epochs] == training.losses
    assert training.losses[-1] < training.losses[0] / 2
    assert training.seconds > training.first_epoch_seconds > 0
    assert training.samples_per_second > len(digits.x_train) / training.seconds
    mse = squared_errors(digits.x_test, model.reconstruct(digits.x_test)).mean()
    assert mse == pytest.approx(model.evaluate(digits.x_test, verbose=0), rel=1e-5)


@pytest.mark.backend
def test_repeats_are_bit_identical(digits):
    from ae_multi.compare.train import build, train

    config = TrainingConfig("deep", epochs=3)
    weights = []
    for _ in range(2):
        model = build(config, digits.image_shape)
        train(model, digits.x_train, config)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.backend
def test_the_backend_describes_itself(backend):
    from importlib import metadata

    from ae_multi import backends

    module = backends.current()
    assert module.__name__ == f"ae_multi.backends.{backend}"
    distribution = "tensorflow-cpu" if backend == "tensorflow" else backend
    assert module.version().startswith(metadata.version(distribution).partition("+")[0])
    assert module.device()
    module.full_precision()
    module.wait()


def test_an_unknown_backend_is_refused():
    from ae_multi import BackendError, backends

    with pytest.raises(BackendError, match=r"torch, tensorflow, jax\. Received: 'theano'"):
        backends.get("theano")
