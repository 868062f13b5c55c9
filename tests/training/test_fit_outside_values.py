"""Changes of Python values and variables that a step reads act as in Keras."""

import logging
from importlib import import_module

import numpy as np
import pytest

import ae_multi
from tests.reference.step_models import autoencoder

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

BETA = 0.0


def penalized(keras, penalty):
    """A model that adds ``penalty(layer)`` to its input and to its loss."""

    class Penalty(keras.layers.Layer):
        beta = 0.0

        def call(self, x):
            value = penalty(self)
            self.add_loss(value + 0.0 * keras.ops.sum(x))
            return x + value

    model = keras.Sequential(
        [keras.Input((12,)), Penalty(), keras.layers.Dense(12, use_bias=False)]
    )
    model.layers[1].kernel.assign(np.eye(12))
    model.compile(keras.optimizers.SGD(0.0), lambda y, y_pred: 0.0 * (y - y_pred))
    return model


def variable(keras):
    beta = keras.Variable(0.0, trainable=False)
    return (lambda layer: 1.0 * beta), lambda model, value: beta.assign(value)


def attribute(keras):
    return (lambda layer: layer.beta), lambda model, value: setattr(model.layers[0], "beta", value)


def class_attribute(keras):
    return (lambda layer: type(layer).beta), lambda model, value: setattr(
        type(model.layers[0]), "beta", value
    )


def closed_over(keras):
    betas = [0.0]
    return (lambda layer: betas[0]), lambda model, value: betas.__setitem__(0, value)


def array(keras):
    beta = np.zeros((), np.float32)
    return (
        lambda layer: keras.ops.convert_to_tensor(beta + 0),
        lambda model, value: np.copyto(beta, value),
    )


def global_variable(keras):
    return (lambda layer: BETA), lambda model, value: globals().__setitem__("BETA", value)


KINDS = [variable, attribute, class_attribute, closed_over, array, global_variable]


def observed(keras, kind, functions, x):
    """Train, evaluate and predict while a value changes; return (losses and outputs, plan)."""
    fit, evaluate, predict = functions
    penalty, change = kind(keras)
    model = penalized(keras, penalty)
    change(model, 0.0)
    setting = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: change(model, 100.0 * epoch + 1)
    )
    history = fit(model, x, x, batch_size=35, epochs=3, verbose=0, callbacks=[setting])
    found = list(history.history["loss"])
    if kind in (variable, attribute):
        for value in (7.0, 9.0):
            change(model, value)
            found.append(evaluate(model, x, x, batch_size=35, verbose=0))
            found.append(predict(model, x, batch_size=7, verbose=0)[0, 0])
        change(model, 3.0)
        found += fit(model, x, x, batch_size=35, epochs=1, verbose=0).history["loss"]
    return found, getattr(history, "plan", None)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_values_changed_by_a_callback_act_as_in_keras(keras, kind, x):
    model = keras.Model
    ours, plan = observed(keras, kind, (ae_multi.fit, ae_multi.evaluate, ae_multi.predict), x)
    theirs, _ = observed(keras, kind, (model.fit, model.evaluate, model.predict), x)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    if keras.config.backend() == "torch":
        np.testing.assert_allclose(ours[:3], [1.0, 101.0, 201.0], rtol=1e-5)
        assert plan.name == ("graph" if kind is variable else "eager")


def test_callable_learning_rate_acts_as_in_keras(keras, backend, x):
    rates = [0.0]

    def trained(fit):
        model = autoencoder(keras, learning_rate=lambda: rates[0])
        if backend == "jax":
            model.run_eagerly = False
        setting = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: rates.__setitem__(0, 0.01 * epoch)
        )
        fit(model, x, x, batch_size=70, epochs=3, verbose=0, shuffle=False, callbacks=[setting])
        return model.get_weights()

    for ours, theirs in zip(trained(ae_multi.fit), trained(keras.Model.fit), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_frequently_changing_value_falls_back_to_eager(keras, torch, x, caplog, monkeypatch):
    monkeypatch.setattr("ae_multi.backends.torch.steps._logged", set())
    penalty, change = attribute(keras)
    model = penalized(keras, penalty)
    setting = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: change(model, float(batch))
    )
    with caplog.at_level(logging.WARNING, "ae_multi"):
        history = ae_multi.fit(model, x, x, 7, verbose=0, callbacks=[setting])
    np.testing.assert_allclose(history.history["loss"], [4.5], rtol=1e-5)  # of 0 to 9
    assert history.plan.name == "eager"
    assert len([each for each in caplog.records if "beta changes" in each.message]) == 1


@pytest.mark.parametrize("source", ["numpy", "generator", "clock"])
def test_python_random_numbers_are_drawn_in_each_step(keras, torch, x, source):
    ticks = iter(range(10**6))
    generator = np.random.default_rng(0)
    draws = {
        "numpy": lambda layer: float(np.random.random()),  # noqa: NPY002
        "generator": lambda layer: float(generator.random()),
        "clock": lambda layer: float(next(ticks)),
    }
    np.random.seed(0)  # noqa: NPY002
    found = []

    def noted(layer):
        found.append(draws[source](layer))
        return found[-1]

    model = penalized(keras, noted)
    found.clear()
    history = ae_multi.fit(model, x, x, 7, verbose=0)
    assert history.plan.name == "eager"
    np.testing.assert_allclose(history.history["loss"], [np.mean(found[-10:])], rtol=1e-5)
    outputs = ae_multi.predict(model, x, 7)
    assert len({float(value) for value in (outputs - x)[:, 0].round(4)}) == 10


def test_tensor_changed_in_place_is_read_in_each_step(keras, torch, x):
    beta = torch.tensor(0.0)
    model = penalized(keras, lambda layer: beta * 1)
    setting = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: beta.fill_(10.0 * epoch)
    )
    losses = ae_multi.fit(model, x, x, epochs=3, verbose=0, callbacks=[setting]).history["loss"]
    np.testing.assert_allclose(losses, [0.0, 10.0, 20.0], atol=1e-5)


def test_training_flag_of_modules_equals_that_of_keras(keras, torch, x):
    found = []
    for module in (ae_multi, keras.Model):
        model = penalized(keras, lambda layer: 1.0 if layer.training else 2.0)
        found += module.fit(model, x, x, verbose=0).history["loss"]
        found.append(module.evaluate(model, x, x, verbose=0))
        found.append((module.predict(model, x, batch_size=4, verbose=0) - x)[0, 0])
    np.testing.assert_allclose(found[:3], found[3:], rtol=1e-5)


def test_program_built_by_a_trial_is_used_in_training(keras, x, monkeypatch):
    fit = import_module("ae_multi.training.fit")
    monkeypatch.setattr(fit, "forget", lambda *given: pytest.fail("the program was built again"))
    callbacks = [keras.callbacks.EarlyStopping("loss"), keras.callbacks.ReduceLROnPlateau("loss")]
    for _ in range(2):
        model = autoencoder(keras)
        ae_multi.fit(model, x, x, verbose=0, validation_data=(x, x), callbacks=callbacks)


def test_step_is_recorded_once(keras, torch, x, monkeypatch):
    from ae_multi.backends.torch import steps

    recorded = []

    def counted(*given, **kwargs):
        recorded.append(given)
        return real(*given, **kwargs)

    real = steps.record
    monkeypatch.setattr(steps, "record", counted)
    model = autoencoder(keras)
    callbacks = keras.callbacks
    for _ in range(2):
        ae_multi.fit(
            model,
            x,
            x,
            14,
            epochs=4,
            verbose=0,
            validation_data=(x, x),
            plan="graph",
            callbacks=[
                callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=10.0),
                callbacks.EarlyStopping("loss"),
            ],
        )
        model.predict(x, verbose=0)
        model.evaluate(x, x, verbose=0)
    assert len(recorded) == 1
