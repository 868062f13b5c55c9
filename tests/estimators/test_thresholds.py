"""`thresholds`: the promised rate of false alarms, without networks."""

import math

import numpy as np
import pytest

from ae_multi.errors import InputError
from ae_multi.estimators import thresholds

pytestmark = [pytest.mark.backend, pytest.mark.once]

# Survival functions of normal scores, from light to heavy tails, and their samples.
SCORES = {
    "uniform": (lambda rng, n: rng.random(n), lambda t: 1 - t),
    "exponential": (lambda rng, n: rng.exponential(size=n), lambda t: math.exp(-t)),
    "pareto": (lambda rng, n: (1 - rng.random(n)) ** -0.5, lambda t: t**-2.0),
}
SIZES = [(36, 0.05), (36, 0.03), (50, 0.05), (120, 0.01), (357, 0.02)]


def realised_rates(name, samples, rate, draws, seed):
    """Return the rate of false alarms of the threshold of each draw."""
    draw, survival = SCORES[name]
    rng = np.random.default_rng(seed)
    limits = [thresholds.calibrated(draw(rng, samples), rate) for _ in range(draws)]
    return np.array([survival(limit) for limit in limits])


@pytest.mark.parametrize("name", SCORES)
@pytest.mark.parametrize(("samples", "rate"), SIZES)
def test_mean_rate_of_200_draws_is_the_promise_within_two_standard_errors(name, samples, rate):
    rates = realised_rates(name, samples, rate, 200, seed=0)
    assert abs(rates.mean() - rate) < 2 * rates.std(ddof=1) / math.sqrt(200)


@pytest.mark.parametrize("name", SCORES)
def test_mean_rate_of_many_draws_is_the_promise(name):
    """The ranks 35 and 36 alone have the rates .054 and .027; the promise of .05 is between."""
    rates = realised_rates(name, 36, 0.05, 20_000, seed=1)
    assert abs(rates.mean() - 0.05) < 3 * rates.std() / math.sqrt(20_000)


def test_threshold_is_one_of_the_two_errors_around_the_rank():
    errors = np.random.default_rng(0).permutation(np.arange(1.0, 37))  # (n + 1)(1 - α) = 35.15
    found = {thresholds.calibrated(np.roll(errors, shift), 0.05) for shift in range(36)}
    assert found == {35.0, 36.0}


def test_too_few_samples_are_refused():
    assert thresholds.least_samples(0.05) == 19
    assert thresholds.least_samples(0.01) == 99
    thresholds.calibrated(np.arange(99.0), 0.01)
    with pytest.raises(InputError, match=r"at least 99 held-out .* of 0\.01\. Received: 98"):
        thresholds.calibrated(np.arange(98.0), 0.01)


def test_single_sample_serves_a_rate_of_one_half():
    assert thresholds.calibrated(np.array([3.0]), 0.5) == 3
