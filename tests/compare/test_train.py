"""Trainings of a comparison."""

import numpy as np
import pytest

from ae_multi.compare import TrainingConfig
from ae_multi.metrics import squared_errors


@pytest.mark.backend
def test_training_lowers_the_loss_and_records_times(digits):
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
def test_repeated_trainings_are_bit_identical(digits):
    from ae_multi.compare.train import build, train

    config = TrainingConfig("deep", epochs=3)
    weights = []
    for _ in range(2):
        model = build(config, digits.image_shape)
        train(model, digits.x_train, config)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
