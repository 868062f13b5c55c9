"""`predict` and `evaluate` compared with Keras."""

import logging

import numpy as np
import pytest

import ae_multi
from ae_multi.data.arrays import as_data
from ae_multi.errors import InputError
from ae_multi.training import evaluation
from tests.reference.step_models import task

pytestmark = pytest.mark.backend

KINDS = ("dense", "conv", "branched")


def leaves(outputs):
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


def assert_same(ours, theirs):
    for one, other in zip(leaves(ours), leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# Few and many batches, which PyTorch runs differently, and a smaller last batch.
@pytest.mark.parametrize("batch_size", [None, 1, 4, 7, 64, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_predict_equals_keras(keras, kind, batch_size):
    model, (x, _, _) = task(keras, kind, "sgd")
    assert_same(ae_multi.predict(model, x, batch_size), model.predict(x, verbose=0))


def test_uncompiled_parts_can_predict(small):
    model = ae_multi.SimpleAutoencoder(4, (8, 8, 1))
    codes = model.encode(small, batch_size=4)
    np.testing.assert_allclose(codes, model.encoder.predict(small, verbose=0), rtol=0, atol=1e-6)
    restored = model.decode(codes, batch_size=4)
    np.testing.assert_allclose(restored, model.predict(small, verbose=0), rtol=0, atol=1e-6)


def test_zero_copy_input_is_not_modified(keras):
    """Predict from an aligned array, which frameworks read in place and could modify."""
    room = np.empty(64 * 12 * 4 + 64, np.uint8)
    x = room[-room.ctypes.data % 64 :][: 64 * 12 * 4].view(np.float32).reshape(64, 12)
    x[:] = np.random.default_rng(0).normal(size=x.shape)
    before = x.copy()
    model = keras.Sequential([keras.Input((12,)), keras.layers.ReLU(), keras.layers.ReLU()])
    found = ae_multi.predict(model, x, 16)
    np.testing.assert_array_equal(x, before)
    x[:] = 7
    np.testing.assert_array_equal(found, np.maximum(before, 0))


@pytest.mark.slow
def test_many_models_in_one_process_give_no_warnings(small, backend):
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger(backend)
    logger.addHandler(handler)
    try:
        for seed in range(10):
            model = ae_multi.SimpleAutoencoder(4, (8, 8, 1), seed)
            model.compile("adam", "mse")
            model.fit(small, batch_size=32, epochs=1, verbose=0)
            model.evaluate(small, verbose=0)
            model.reconstruct(small)
    finally:
        logger.removeHandler(handler)
    assert not messages


@pytest.mark.parametrize("kind", KINDS)
def test_predict_follows_changed_weights(keras, kind):
    model, (x, y, weights) = task(keras, kind, "sgd")
    before = ae_multi.predict(model, x, 5)
    ae_multi.fit(model, x, y, sample_weight=weights, epochs=2, verbose=0)
    after = ae_multi.predict(model, x, 5)
    assert all(
        abs(one - other).max() > 1e-4
        for one, other in zip(leaves(before), leaves(after), strict=True)
    )
    assert_same(after, model.predict(x, verbose=0))
    model.set_weights([0.5 * weight for weight in model.get_weights()])
    assert_same(ae_multi.predict(model, x, 5), model.predict(x, verbose=0))


@pytest.mark.parametrize("batch_size", [None, 7, 16, 1000])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_equals_keras(keras, kind, batch_size):
    model, (x, y, weights) = task(keras, kind, "sgd")
    given = {"sample_weight": weights, "batch_size": batch_size, "verbose": 0}
    few = [] if batch_size == 1000 else [{"steps": 2}]  # Keras warns of more steps than batches
    for more in ({}, {"return_dict": True}, *few):
        ours = ae_multi.evaluate(model, x, y, **given, **more)
        theirs = keras.Model.evaluate(model, x, y, **given, **more)
        assert type(ours) is type(theirs)
        assert ours == pytest.approx(theirs, rel=2e-6)


def test_evaluate_equals_keras_for_many_batches(keras):
    model, (x, y, _) = task(keras, "dense", "sgd")
    x, y = np.concatenate([x] * 3), np.concatenate([y] * 3)
    given = {"batch_size": 2, "verbose": 0}
    ours = ae_multi.evaluate(model, x, y, **given)
    assert ours == pytest.approx(keras.Model.evaluate(model, x, y, **given), rel=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_evaluation_equals_keras(keras, monkeypatch, kind):
    monkeypatch.setattr(evaluation, "_MIN_BATCHES", 1)
    model, (x, y, weights) = task(keras, kind, "sgd")
    given = {"sample_weight": weights, "batch_size": 16, "verbose": 0}
    for _ in range(2):  # metrics are reset before the second evaluation
        ours = ae_multi.evaluate(model, x, y, **given)
        assert ours == pytest.approx(keras.Model.evaluate(model, x, y, **given), rel=2e-6)


def test_repeated_evaluation_uses_a_compiled_plan(keras, backend):
    from ae_multi import backends

    recorded = "graph" if backends.current().device().startswith("cpu") else "cuda"
    model, (x, y, weights) = task(keras, "dense", "sgd")
    data = as_data(x, y, weights)
    once = evaluation.Evaluation(model, data, 2)._plan
    often = evaluation.Evaluation(model, data, 2, again=True)._plan
    assert (once, often) == {
        "torch": ("eager", recorded),
        "tensorflow": ("step", "loop"),
        "jax": ("scan", "scan"),
    }[backend]


def test_untraceable_loss_is_evaluated_eagerly(keras, backend):
    if backend != "torch":
        pytest.skip("on other backends Keras traces every evaluation")

    def doubled_if_large(y, y_pred):
        error = keras.ops.mean((y - y_pred) ** 2)
        return error * 2 if float(keras.ops.stop_gradient(error)) > 1e-9 else error

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("sgd", doubled_if_large)
    x = np.random.default_rng(0).random((60, 3), np.float32)
    history = ae_multi.fit(model, x, x, validation_data=(x, x), batch_size=2, verbose=0)
    expected = keras.Model.evaluate(model, x, x, batch_size=2, verbose=0)
    assert history.history["val_loss"][-1] == pytest.approx(expected, rel=2e-6)


def test_callbacks_are_called_in_an_evaluation(keras):
    model, (x, y, _) = task(keras, "dense", "sgd")
    seen = []

    class Ends(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            seen.append("begin")

        def on_test_end(self, logs=None):
            seen.append(logs["loss"])

    class Batches(Ends):
        def on_test_batch_end(self, batch, logs=None):
            seen.append(batch)

    loss = ae_multi.evaluate(model, x, y, 32, 0, callbacks=Ends(), return_dict=True)["loss"]
    assert seen == ["begin", loss]
    seen.clear()
    ae_multi.evaluate(model, x, y, 32, 0, callbacks=[Batches()])
    assert seen == ["begin", 0, 1, 2, pytest.approx(loss, rel=2e-6)]


def test_progress_is_shown(keras, capsys):
    model, (x, y, _) = task(keras, "dense", "sgd")
    ae_multi.evaluate(model, x, y, verbose=1)
    shown = capsys.readouterr().out
    assert "3/3" in shown
    assert "loss" in shown
    ae_multi.predict(model, x, 7, verbose=1)
    assert "10/10" in capsys.readouterr().out
    ae_multi.predict(model, x, 7)
    assert not capsys.readouterr().out


def test_custom_compute_loss_is_used(keras):
    class Doubled(keras.Model):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, x):
            return self.inner(x)

        def compute_loss(self, *args, **kwargs):
            return 2 * super().compute_loss(*args, **kwargs)

    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    plain, doubled = keras.Sequential([inner]), Doubled(inner)
    for model in (plain, doubled):
        model.compile(loss="mse")
    x = np.random.default_rng(0).random((9, 3), np.float32)
    once = ae_multi.evaluate(plain, x, x, verbose=0)
    assert ae_multi.evaluate(doubled, x, x, verbose=0) == pytest.approx(2 * once, rel=1e-6)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda model, x: ae_multi.predict(model, x, 0), "batch_size to be an integer of at least"),
        (lambda model, x: ae_multi.predict(model, x[:0]), "at least one"),
        (lambda model, x: ae_multi.evaluate(model, x, x[:3]), r"x with 70 samples, y with 3"),
        (lambda model, x: ae_multi.evaluate(model, x, x, steps=0), "steps to be an integer"),
    ],
    ids=["size", "none", "lengths", "steps"],
)
def test_bad_arguments_are_refused(keras, act, message):
    model, (x, _, _) = task(keras, "dense", "sgd")
    with pytest.raises(InputError, match=message):
        act(model, x)


def test_evaluation_of_an_uncompiled_model_is_refused(keras):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="compile"):
        ae_multi.evaluate(model, np.zeros((2, 3), np.float32))


def test_predict_with_steps_equals_keras(keras):
    x = np.random.default_rng(0).random((43, 6), np.float32)
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    for options in ({"batch_size": 8, "steps": 2}, {"steps": 4}):
        expected = keras.Model.predict(model, x, verbose=0, **options)
        np.testing.assert_allclose(ae_multi.predict(model, x, **options), expected, atol=1e-6)
