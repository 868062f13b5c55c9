"""Training in 16 bits, by `keras.config.floatx` and by mixed policies."""

import warnings

import numpy as np
import pytest

import ae_multi

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

SETTINGS = ("bfloat16", "float16", "mixed_bfloat16", "mixed_float16")
X = np.random.default_rng(0).random((64, 12)).astype(np.float32)


@pytest.fixture(params=SETTINGS)
def setting(keras, request):
    """The global dtype or policy of a test."""
    kind = request.param
    if kind.startswith("mixed"):
        keras.config.set_dtype_policy(kind)
    else:
        keras.config.set_floatx(kind)
        keras.config.set_dtype_policy(kind)
    yield kind
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")


def made(keras):
    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(5, "tanh"), layers.Dense(12, dtype=keras.config.floatx())]
    )
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(keras.ops.cast(rng.normal(0, 0.4, weight.shape), weight.dtype))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", metrics=["mae"])
    return model


def numbers(keras, model):
    variables = model.weights + model.optimizer.variables
    return [keras.ops.convert_to_numpy(each.value).astype(np.float32) for each in variables]


def as_floats(keras, values):
    """Convert to Python floats; Keras's `fit` returns bfloat16 tensors on TensorFlow."""
    return [float(keras.ops.convert_to_numpy(keras.ops.cast(each, "float32"))) for each in values]


def test_fit_evaluate_and_predict_equal_keras(keras, setting, tmp_path):
    ours, theirs, again = (made(keras) for _ in range(3))
    given = {"batch_size": 16, "epochs": 3, "shuffle": False, "verbose": 0}
    given["validation_data"] = (X[:32], X[:32])
    found = ae_multi.fit(ours, X, X, **given, checkpoint=tmp_path / "a")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = keras.Model.fit(theirs, X, X, **given)
    assert found.plan.name != "keras"
    # Each of several operations rounds by half a unit in the last place.
    close = {"rtol": 16 * 2**-8, "atol": 2e-2}
    for name, values in expected.history.items():
        assert all(type(value) is float for value in found.history[name])
        values = as_floats(keras, values)
        np.testing.assert_allclose(found.history[name], values, **close, err_msg=name)
    for one, other in zip(numbers(keras, ours), numbers(keras, theirs), strict=True):
        np.testing.assert_allclose(one, other, **close)
    one = ae_multi.evaluate(ours, X, X, verbose=0)
    other = keras.Model.evaluate(ours, X, X, verbose=0)
    assert all(type(value) is float for value in one)
    np.testing.assert_allclose(one, as_floats(keras, other), **close)
    one, other = ae_multi.predict(ours, X), keras.Model.predict(ours, X, verbose=0)
    assert one.dtype == other.dtype
    np.testing.assert_allclose(one.astype(float), other.astype(float), **close)
    if "bfloat16" not in setting:
        return
    # A resumed training is bit-identical.
    ae_multi.fit(again, X, X, **{**given, "epochs": 2}, checkpoint=tmp_path / "b")
    last = made(keras)
    ae_multi.fit(last, X, X, **given, checkpoint=tmp_path / "b", resume=True)
    for a, b in zip(numbers(keras, last), numbers(keras, ours), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("setting", ["bfloat16", "mixed_bfloat16"], indirect=True)
def test_each_plan_trains(keras, setting):
    from ae_multi import backends

    for plan in dict(backends.current().plans(made(keras))):
        if plan in ("inductor", "loop-xla", "scan-eigen"):
            continue  # these take long to compile
        history = ae_multi.fit(made(keras), X, X, epochs=2, batch_size=32, verbose=1, plan=plan)
        assert np.isfinite(history.history["loss"]).all()
        assert history.history["loss"][1] < history.history["loss"][0]
