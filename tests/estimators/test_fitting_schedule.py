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


def test_the_rate_falls_along_half_a_cosine():
    assert last_rate(reducer().fit(X)) == pytest.approx(0.01 * (1 + math.cos(0.75 * math.pi)) / 2)
    assert last_rate(reducer(epochs=1).fit(X)) == pytest.approx(0.01)
    assert last_rate(reducer(schedule=None).fit(X)) == pytest.approx(0.01)


def test_each_epoch_is_trained_at_its_own_rate():
    # Steps of Adam are proportional to its rate while gradients are similar.
    first, both = (reducer(epochs=2, schedule=of).fit(X) for of in ("cosine", None))
    weights = [each.network_.get_weights() for each in (first, both)]
    start = ae_multi.DeepAutoencoder((5,), 2, (6,), seed=0).get_weights()
    moved = [
        sum(np.abs(now - then).sum() for now, then in zip(of, start, strict=True)) for of in weights
    ]
    assert 1.5 / 2 * 0.95 < moved[0] / moved[1] < 1.5 / 2 * 1.1


def test_chunks_are_trained_at_the_same_rates():
    whole, chunks = reducer().fit(X), reducer().fit_chunks([X])
    assert last_rate(chunks) == pytest.approx(last_rate(whole))
    np.testing.assert_allclose(chunks.transform(X), whole.transform(X), rtol=1e-4, atol=1e-6)


def test_partial_fit_keeps_the_initial_rate():
    estimator = reducer().fit(X)
    assert last_rate(estimator.partial_fit(X)) == pytest.approx(0.01)
    assert last_rate(reducer().partial_fit(X).partial_fit(X)) == pytest.approx(0.01)


def test_unknown_schedule_is_refused():
    with pytest.raises(ae_multi.InputError, match=r"schedule to be 'cosine' or None. .* 'linear'"):
        reducer(schedule="linear").fit(X)
