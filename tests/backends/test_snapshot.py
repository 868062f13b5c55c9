"""State is restored after trial steps, including state that custom code changes."""

import itertools
import random
from importlib import import_module

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import DivergenceError
from tests.reference.adversarial import adversarial
from tests.reference.step_models import autoencoder

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]


@pytest.fixture
def on_trial(monkeypatch):
    """Compare plans for trainings of any length."""
    from ae_multi.training import plan, plan_cache, plan_trial

    monkeypatch.setattr(plan, "_is_worth_trying", lambda name, seconds, left: seconds < 5)
    for module in (plan, plan_trial):
        monkeypatch.setattr(module, "TIMING_SECONDS", (0.001, 0.002))
    monkeypatch.setattr(plan_cache, "_here", {})


@pytest.fixture
def two_optimizers(keras, backend):
    """Function that returns an adversarial network and its second optimizer."""
    if backend == "jax":
        pytest.skip("a step on JAX returns the variables of the model and its one optimizer")
    return lambda: adversarial(keras)


def numbers(variables):
    return [np.array(variable) for variable in variables]


def assert_same(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("built", [False, True])
def test_second_optimizer_trains_as_in_keras(two_optimizers, on_trial, x, built):
    ends = []
    for plan in (None, "keras"):
        model, second = two_optimizers()
        if built:
            second.build(model.discriminator.trainable_variables)
            model.optimizer.build(model.trainable_variables)
        history = ae_multi.fit(model, x, x, 16, epochs=2, verbose=0, plan=plan)
        assert int(second.iterations) == int(model.optimizer.iterations) == 10
        # Keras on TensorFlow builds the first optimizer in its first step, for fewer weights.
        ends.append([*history.history.values(), *numbers(model.weights + second.variables)])
    assert_same(*ends, rtol=2e-4, atol=2e-6)


def test_second_optimizer_is_restored_after_a_nan_loss(two_optimizers, x):
    bad = x.copy()
    bad[37] = np.nan  # in the third batch of 16
    ends = []
    for data in (bad, x):
        model, second = two_optimizers()
        second.build(model.discriminator.trainable_variables)
        if data is bad:
            with pytest.raises(DivergenceError, match="step 3 of epoch 1"):
                ae_multi.fit(model, bad, bad, 16, shuffle=False, verbose=0)
        else:
            ae_multi.fit(model, x, x, 16, shuffle=False, steps_per_epoch=2, verbose=0)
        assert int(second.iterations) == 2
        ends.append(numbers(second.variables + model.variables[: len(model.weights)]))
    assert_same(*ends, rtol=2e-4, atol=2e-6)


def with_effects(keras):
    """(model with a layer that changes state of all kinds, dict of that state)."""
    state = {
        "variable": keras.Variable(1.0, trainable=False),
        "generator": np.random.default_rng(0),
        "random": random.Random(0),
        "array": np.zeros(3),
        "list": [],
        "nested": {"calls": 0},
    }

    class Effects(keras.layers.Layer):
        calls = 0

        def call(self, x):
            self.calls += 1
            type(self).calls += 1
            state["nested"]["calls"] += 1
            state["list"].append(1)
            state["array"][0] += 1
            state["generator"].random()
            state["random"].random()
            np.random.random()  # noqa: NPY002
            random.random()
            if keras.config.backend() != "jax":  # on JAX a step returns the tracked variables
                state["variable"].assign_add(1.0)
            return x

    model = keras.Sequential([keras.Input((12,)), Effects(), keras.layers.Dense(12)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model, state


def seen(model, state):
    layer = model.layers[0]
    return repr(
        (
            layer.calls,
            type(layer).calls,
            state["nested"],
            state["list"],
            state["array"],
            state["generator"].bit_generator.state,
            state["random"].getstate(),
            np.random.get_state(),  # noqa: NPY002
            random.getstate(),
            numbers([state["variable"], *model.variables, *model.optimizer.variables]),
        )
    )


def test_trial_steps_restore_all_state(keras, on_trial, x, monkeypatch):
    module = import_module("ae_multi.training.fit")
    model, state = with_effects(keras)
    compared = []

    def watched(*given):
        model.reset_metrics()
        before = seen(model, state)
        found = real(*given)
        compared.append((before, seen(model, state)))
        return found

    real = module.choose
    monkeypatch.setattr(module, "choose", watched)
    ae_multi.fit(model, x, x, 16, verbose=0)
    ((before, after),) = compared
    assert before == after


def test_trial_evaluation_restores_all_state(keras, x, monkeypatch):
    from ae_multi.training import evaluation

    monkeypatch.setattr(evaluation, "_MIN_BATCHES", 1)
    model, state = with_effects(keras)
    ae_multi.evaluate(model, x, x, 16, verbose=0)
    found = [] if keras.config.backend() == "jax" else [state["variable"]]
    twin, other = with_effects(keras)
    before = float(other["variable"])
    twin.evaluate(x, x, batch_size=16, verbose=0)
    expected = [] if keras.config.backend() == "jax" else [other["variable"]]
    assert_same(numbers(found), numbers(expected))
    assert before + 5 == float(other["variable"]) or not found


def test_python_side_effects_run_in_each_step_on_torch(keras, torch, on_trial, x, caplog):
    def change(fit):
        model, state = with_effects(keras)
        model.layers[0].calls = 0
        found = fit(model)
        return model.layers[0].calls, len(state["list"]), float(state["variable"]), found

    *ours, history = change(lambda model: ae_multi.fit(model, x, x, 16, epochs=2, verbose=0))
    *theirs, _ = change(lambda m: m.fit(x, x, batch_size=16, epochs=2, verbose=0))
    assert ours == theirs
    assert history.plan.name == "eager"
    messages = [record for record in caplog.records if "a step changes" in record.message]
    assert len(messages) <= 1


def test_model_with_unrestorable_state_has_no_trial(keras, on_trial, x):
    def numbered():
        model = autoencoder(keras)
        model.numbers = itertools.count()
        return model

    ours, theirs = numbered(), numbered()
    history = ae_multi.fit(ours, x, x, 16, verbose=0)
    assert "numbers cannot be restored" in history.plan.why
    assert not history.plan.seconds_per_step
    assert next(ours.numbers) == 0
    ae_multi.fit(theirs, x, x, 16, verbose=0, plan="keras")
    assert_same(ours.get_weights(), theirs.get_weights(), rtol=1e-4, atol=1e-6)
