"""A custom `train_step` receives its batch in the structure of Keras."""

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

X = np.random.default_rng(0).random((20, 6), np.float32)
W = np.random.default_rng(1).random(20).astype(np.float32)


def structure(data):
    """The structure of a batch, with "array" for each array."""
    if isinstance(data, dict):
        return {key: structure(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(map(structure, data))
    return None if data is None else "array"


@pytest.fixture
def noting(keras):
    """Function that returns a model which records the structure of its batches."""

    def make(**options):
        class Noting(keras.Model):
            def __init__(self):
                super().__init__()
                self.dense = keras.layers.Dense(6)
                self.seen = []

            def call(self, x):
                return self.dense(keras.tree.flatten(x)[0])

            def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
                return keras.ops.mean(y_pred**2)

            def train_step(self, *arguments):  # on JAX the state comes first
                self.seen.append(structure(arguments[-1]))
                return super().train_step(*arguments)

            def test_step(self, *arguments):
                self.seen.append(structure(arguments[-1]))
                return super().test_step(*arguments)

        model = Noting()
        model.compile("sgd", **options)
        return model

    return make


def fit(model, *data, **options):
    """Train by the first plan, so that no plans are compared."""
    from ae_multi import backends

    return ae_multi.fit(model, *data, plan=backends.current().plans(model)[0][0], **options)


@pytest.mark.parametrize(
    "data",
    [
        {"x": X},
        {"x": X, "y": X},
        {"x": X, "y": X, "sample_weight": W},
        {"x": X, "sample_weight": W},
        {"x": [X, X]},
        {"x": {"a": X}},
        {"x": [X, X], "y": [X, X]},
    ],
    ids=["x", "x y", "x y weights", "x weights", "list", "dict", "lists"],
)
def test_batches_have_the_structure_of_keras(keras, noting, data):
    def seen(train, evaluate):
        model = noting()
        train(model, **data, verbose=0)
        trained = list(model.seen)
        model.seen.clear()
        evaluate(model, **data, verbose=0)
        return trained[0], model.seen[0]

    expected = seen(keras.Model.fit, keras.Model.evaluate)
    assert seen(fit, ae_multi.evaluate) == expected
    by_keras = seen(
        lambda *args, **more: ae_multi.fit(*args, plan="keras", **more), ae_multi.evaluate
    )
    assert by_keras == expected


def test_validation_batches_have_the_structure_of_keras(noting):
    model = noting()
    fit(model, X, X, sample_weight=W, validation_data=(X, X), batch_size=8, verbose=0)
    assert model.seen[0] == ("array",) * 3
    assert model.seen[-1] == ("array", "array")


def test_train_step_of_the_keras_guides_works(keras, backend):
    """Unpack by ``x, y = data`` or by `unpack_x_y_sample_weight`, in each plan."""
    from ae_multi import backends

    def made(unpack):
        class Guide(keras.Sequential):
            def train_step(self, *arguments):
                x, y = unpack(arguments[-1])
                return super().train_step(*arguments[:-1], (x, y))

            def test_step(self, *arguments):
                x, y = unpack(arguments[-1])
                return super().test_step(*arguments[:-1], (x, y))

        model = Guide([keras.Input((6,)), keras.layers.Dense(6)])
        model.set_weights([np.full((6, 6), 0.1), np.zeros(6)])
        model.compile("sgd", "mse")
        return model

    def plainly(data):
        x, y = data
        return x, y

    def by_helper(data):
        return keras.utils.unpack_x_y_sample_weight(data)[:2]

    theirs = made(plainly)
    keras.Model.fit(theirs, X, X, batch_size=8, shuffle=False, verbose=0)
    expected = keras.Model.evaluate(theirs, X, X, verbose=0)
    plans = [name for name, _ in backends.current().plans(made(plainly)) if name != "loop-xla"]
    for plan in plans:
        for unpack in (plainly, by_helper) if plan == plans[0] else (plainly,):
            ours = made(unpack)
            ae_multi.fit(ours, X, X, batch_size=8, shuffle=False, verbose=0, plan=plan)
            for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
            assert ae_multi.evaluate(ours, X, X, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_nested_logs_are_flattened_as_in_keras(keras):
    """Return nested logs from a step, as the result of `CompileMetrics` is."""
    from ae_multi import backends

    class Guide(keras.Sequential):
        def train_step(self, *arguments):
            result = super().train_step(*arguments)
            logs = result[0] if isinstance(result, tuple) else result
            nested = {"loss": logs["loss"], "compile_metrics": {"mae": logs["mae"]}}
            return (nested, *result[1:]) if isinstance(result, tuple) else nested

    def history(train):
        model = Guide([keras.Input((6,)), keras.layers.Dense(6, kernel_initializer="ones")])
        model.compile("sgd", "mse", metrics=["mae"])
        return train(model, X, X, shuffle=False, epochs=2, verbose=0).history

    expected = history(keras.Model.fit)
    names = [name for name, seconds in backends.current().plans(Guide()) if np.isfinite(seconds)]
    for plan in names:
        found = history(lambda *data, plan=plan, **more: ae_multi.fit(*data, plan=plan, **more))
        assert found.keys() == expected.keys(), plan
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-5, err_msg=plan)
