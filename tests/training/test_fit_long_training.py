"""Losses of a long training stay within the effect of rounding in each step."""

import os

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

ALL = bool(os.environ.get("AE_MULTI_ALL_CHECKS"))
# 8 steps an epoch: 2,000 steps if all checks are run, otherwise 640, which detect the same faults.
BATCH, EPOCHS, RUNS = 32, 250 if ALL else 80, 5 if ALL else 3
# The maximum over few runs is smaller than that over many.
FACTOR = 3


def samples():
    """256 samples of 16 pixels, mixtures of five patterns."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(256, 5)) @ rng.normal(size=(5, 16))
    return (1 / (1 + np.exp(-mixed))).astype(np.float32)


def losses(optimizer, plan, perturbed=0):
    """Losses of each epoch, (1 + perturbed, EPOCHS); gradients of all but the first are perturbed.

    The perturbation of a gradient is the rounding of a sum over a batch, drawn for each step.
    """
    from ae_multi.parity.perturbation import perturb_gradients

    model = ae_multi.SimpleAutoencoder(8, (16,), seed=0)
    if perturbed:
        perturb_gradients(optimizer, seed=0, amplitudes=(2.0**-24 * BATCH**0.5,))
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    variables = model.trainable_variables + optimizer.variables
    start = [np.array(variable) for variable in variables]
    found = []
    for run in range(1 + perturbed):
        for variable, value in zip(variables, start, strict=True):
            if variable.name == "perturbation_run":
                value = value + run
            if variable.name == "perturbation_amplitudes" and run == 0:
                value = 0 * value
            variable.assign(value)
        x = samples()
        found.append(
            ae_multi.fit(model, x, x, BATCH, EPOCHS, shuffle=False, verbose=0, plan=plan).history
        )
    return np.array([history["loss"] for history in found])


def farthest(curves, exact):
    """Running maximum of the relative distance of the losses from ``exact``."""
    return np.maximum.accumulate(np.abs(curves - exact).max(0) / exact)


@pytest.mark.slow
def test_each_plan_stays_within_rounding(keras):
    from ae_multi import backends

    rate, kinds = 3e-3, keras.optimizers
    model = ae_multi.SimpleAutoencoder(8, (16,), seed=0)
    model.compile(kinds.Adam(rate), "mse")
    slow = set() if ALL else {"inductor", "eager"}
    names = [name for name, _ in backends.current().plans(model) if name not in slow]
    exact, *curves = losses(kinds.Adam(rate), names[0], RUNS)
    assert exact[-1] < exact[0] / 20  # the model learns
    allowed = FACTOR * (farthest(np.array(curves), exact) + 2.0**-23)
    assert allowed[-1] < 1e-5  # the training is not chaotic
    for name in names:
        found = losses(kinds.Adam(rate), name)
        assert (farthest(found, exact) <= allowed).all(), name
    for faulty in (with_float32_beta(kinds.Adam)(rate), kinds.Adam(rate * 1.001)):
        found = losses(faulty, names[0])
        assert (farthest(found, exact) > allowed).any()


def with_float32_beta(adam):
    """Adam that computes 1 - β₂ in float32."""
    from ae_multi._keras import keras

    class Float32Beta(adam):
        def update_step(self, gradient, variable, learning_rate):
            beta_2, self.beta_2 = self.beta_2, keras.ops.cast(self.beta_2, "float32")
            super().update_step(gradient, variable, learning_rate)
            self.beta_2 = beta_2

    return Float32Beta
