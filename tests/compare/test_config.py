"""Configurations of trainings."""

import pytest

from ae_multi.compare import TrainingConfig
from ae_multi.errors import InputError


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
def test_invalid_config_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainingConfig(**changes)


def test_config_round_trips_through_json():
    config = TrainingConfig("simple", latent_dim=5, seed=3)
    assert TrainingConfig(**config.to_json()) == config


@pytest.mark.parametrize(
    ("samples", "epochs"), [(60_000, 15), (6_000, 150), (1437, 200), (10_000_000, 1)]
)
def test_default_epochs_depend_on_the_number_of_samples(samples, epochs):
    assert TrainingConfig().epochs_for(samples) == epochs
    assert TrainingConfig(epochs=3).epochs_for(samples) == 3
