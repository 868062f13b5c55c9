"""The learning rate of an estimator's training, epoch by epoch."""

import math

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.once]

X = np.random.default_rng(0).random((24, 6), np.float32)


def reducer(**kwargs):
    return ae_multi.AutoencoderTransformer(
        **{"latent_dim": 2, "hidden": (5,), "learning_rate": 0.01, "epochs": 4, **kwargs}
    )


def last_rate(estimator):
    return float(estimator.network_.optimizer.learning_rate)


def test_cosine_schedule_decreases_the_rate_along_half_a_period():
    assert last_rate(reducer().fit(X)) == pytest.approx(0.01 * (1 + math.cos(0.75 * math.pi)) / 2)
    assert last_rate(reducer(epochs=1).fit(X)) == pytest.approx(0.01)
    assert last_rate(reducer(schedule=None).fit(X)) == pytest.approx(0.01)


def test_each_epoch_uses_the_rate_of_the_schedule():
    # Steps of Adam are proportional to its rate while gradients are similar.
    start = ae_multi.DeepAutoencoder((5,), 2, (6,), seed=0).get_weights()
    changes = []
    for schedule in ("cosine", None):
        weights = reducer(epochs=2, schedule=schedule).fit(X).network_.get_weights()
        changes.append(sum(np.abs(a - b).sum() for a, b in zip(weights, start, strict=True)))
    assert 1.5 / 2 * 0.95 < changes[0] / changes[1] < 1.5 / 2 * 1.1


def test_chunks_are_trained_at_the_same_rates():
    expected, chunked = reducer().fit(X), reducer().fit_chunks([X])
    assert last_rate(chunked) == pytest.approx(last_rate(expected))
    np.testing.assert_allclose(chunked.transform(X), expected.transform(X), rtol=1e-4, atol=1e-6)


def test_partial_fit_uses_the_initial_rate():
    estimator = reducer().fit(X)
    assert last_rate(estimator.partial_fit(X)) == pytest.approx(0.01)
    assert last_rate(reducer().partial_fit(X).partial_fit(X)) == pytest.approx(0.01)


def test_unknown_schedule_is_refused():
    with pytest.raises(ae_multi.InputError, match=r"schedule to be 'cosine' or None. .* 'linear'"):
        reducer(schedule="linear").fit(X)
