"""`fit`, `evaluate` and `predict` accept the arguments of Keras, with equal results."""

import logging
import warnings

import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import ae_multi
from ae_multi.training.epochs import set_epochs

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("plans_file")]

N = 20
RNG = np.random.default_rng(0)
X, Y, W = (RNG.random(shape, np.float32) for shape in ((N, 6), (N, 3), (N,)))
Z = RNG.random((N, 2), np.float32)
LABELS = RNG.integers(0, 3, N)
BF16 = ml_dtypes.bfloat16
DICTS = {"x": {"a": X, "b": Y}, "y": {"p": Y, "q": Z}}
VALIDATION = (X[:13], Y[:13])


def batches():
    """A generator of three batches."""
    for _ in range(3):
        yield X[:4], Y[:4]


# Arguments of `fit` that Keras accepts: dict of name to (kind of the model, arguments). There is a
# kind for each rank of targets and weights, since Keras on TensorFlow cannot trace a model for two.
TRAINED = {
    "no batch size": ("dense", {}),
    "steps without a batch size": ("dense", {"steps_per_epoch": 4}),
    "a smaller last batch": ("dense", {"batch_size": 8}),
    "fewer samples than a batch": ("dense", {"x": X[:5], "y": Y[:5]}),
    "validation": ("dense", {"batch_size": 8, "validation_data": VALIDATION}),
    "validation with weights": ("dense", {"validation_data": (*VALIDATION, W[:13])}),
    "validation as a list": ("dense", {"validation_data": list(VALIDATION)}),
    "validation steps": ("dense", {"validation_data": VALIDATION, "validation_steps": 2}),
    "validation split": ("dense", {"batch_size": 8, "validation_split": 0.3}),
    "one sample for validation": ("dense", {"validation_split": 0.001}),
    "validation in some epochs": (
        "dense", {"validation_data": VALIDATION, "epochs": 4, "validation_freq": [1, 3]}
    ),
    "no epochs left": ("dense", {"initial_epoch": 5}),
    "shuffled within batches": ("dense", {"shuffle": "batch"}),
    "integer weights": ("dense", {"sample_weight": np.arange(N), "batch_size": 8}),
    "weights as a column": ("column", {"sample_weight": W[:, None]}),
    "classes one-hot": (
        "classes", {"y": np.eye(3, dtype=np.float32)[LABELS], "class_weight": {0: 1.0, 1: 2.0}}
    ),
    "classes as a series": ("labels", {"y": pd.Series(LABELS), "class_weight": {1: 3.0}}),
    "dicts": ("dicts", DICTS),
    "dicts and weights for all": ("dicts", {**DICTS, "sample_weight": W}),
    "dicts and weights for each": ("dicts", {**DICTS, "sample_weight": {"p": W, "q": W[::-1]}}),
    "lists": ("lists", {"x": [X, Y], "y": [Y, Z]}),
    "tuples": ("lists", {"x": (X, Y), "y": (Y, Z)}),
    "a list of one": ("dense", {"x": [X], "y": [Y]}),
    "float64": ("dense", {"x": X.astype(float), "y": Y.astype(float)}),
    "bfloat16": ("dense", {"x": X.astype(BF16), "y": Y.astype(BF16)}),
    "integers": ("dense", {"x": (9 * X).astype(np.int64), "y": (9 * Y).astype(np.uint8)}),
    "booleans": ("dense", {"x": X > 0.5, "y": Y > 0.5}),
    "tensors of bfloat16": ("dense", {"tensors": "bfloat16"}),
    "tensors of float16": ("dense", {"tensors": "float16"}),
    "frames": ("dense", {"x": pd.DataFrame(X), "y": pd.DataFrame(Y), "validation_split": 0.3}),
    "frames of several types": (
        "dense", {"x": pd.DataFrame({**{i: X[:, i] for i in range(5)}, 5: LABELS})}
    ),
    "a series of targets": ("one", {"y": pd.Series(W)}),
    "numbers of targets": ("numbers", {"y": W}),
    "a sparse matrix": ("dense", {"x": scipy.sparse.csr_matrix(X)}),
    "a generator": ("dense", {"x": batches, "y": None}),
}  # fmt: skip
# Arguments of `fit` that Keras refuses, in the same form.
REFUSED = {
    "all samples for validation": ("dense", {"validation_split": 1.0}),
    "frequency as text": ("dense", {"validation_data": VALIDATION, "validation_freq": "2"}),
    "weights as a list of numbers": ("dense", {"sample_weight": W.tolist()}),
    "two sorts of weights": ("dense", {"sample_weight": W, "class_weight": {0: 1.0}}),
    "weights of another structure": ("dicts", {**DICTS, "sample_weight": {"p": W}}),
    "a matrix of weights for all": ("dicts", {**DICTS, "sample_weight": np.ones((N, 2))}),
    "class weights for several outputs": ("dicts", {**DICTS, "class_weight": {0: 1.0}}),
    "inputs as a list of numbers": ("dense", {"x": X.tolist()}),
    "targets as a list of numbers": ("dense", {"y": list(range(N))}),
    "too few targets": ("dense", {"y": Y[:3]}),
    "a generator and a split": ("dense", {"x": batches, "y": None, "validation_split": 0.2}),
    "a generator and weights": ("dense", {"x": batches, "y": None, "sample_weight": W}),
    "a generator and classes": ("dense", {"x": batches, "y": None, "class_weight": {0: 1.0}}),
    "a generator and targets": ("dense", {"x": batches}),
}


def build(keras, kind):
    """A compiled model of one kind."""
    layers = keras.layers
    if kind in ("dicts", "lists"):
        a, b = keras.Input((6,), name="a"), keras.Input((3,), name="b")
        both = layers.Concatenate()([layers.Dense(4)(a), b])
        p, q = layers.Dense(3, name="p")(both), layers.Dense(2, name="q")(both)
        parts = ({"a": a, "b": b}, {"p": p, "q": q}) if kind == "dicts" else ([a, b], [p, q])
        model = keras.Model(*parts)
        model.compile("sgd", {"p": "mse", "q": "mae"} if kind == "dicts" else ["mse", "mae"])
        return model
    loss = {"classes": "categorical_crossentropy", "labels": "sparse_categorical_crossentropy"}
    outputs = layers.Dense(
        1 if kind in ("one", "numbers") else 3, "softmax" if kind in loss else None
    )
    model = keras.Sequential([keras.Input((6,)), layers.Dense(4, "tanh"), outputs])
    model.compile("sgd", loss.get(kind, "mse"), metrics=["accuracy" if kind in loss else "mae"])
    return model


@pytest.fixture(scope="module")
def pair(keras):
    """Function that returns two equal models of a kind, which are built once."""
    made = {}

    def get(kind):
        if kind not in made:
            made[kind] = [build(keras, kind) for _ in range(2)]
        for model in made[kind]:
            rng = np.random.default_rng(1)
            for variable in model.variables + model.optimizer.variables[:1]:
                value = rng.normal(0, 0.4, variable.shape) if variable.shape else 0
                variable.assign(np.asarray(value).astype(str(variable.dtype)))
            set_epochs(model)
        return made[kind]

    return get


@pytest.fixture(scope="module")
def plan(backend_module):
    """The plan that compiles fastest."""
    return {"torch": "eager"}.get(backend_module, "step")


@pytest.fixture(scope="module")
def backend_module(keras):
    return keras.config.backend()


def completed(keras, arguments):
    """Return the arguments of a call of `fit`: defaults of these tests and ``arguments``."""
    done = {"x": X, "y": Y, "epochs": 2, "shuffle": False, "verbose": 0, **arguments}
    if "tensors" in done:
        dtype = done.pop("tensors")
        done.update(
            x=keras.ops.convert_to_tensor(X, dtype), y=keras.ops.convert_to_tensor(Y, dtype)
        )
    if callable(done["x"]):
        done["x"] = done["x"]()
    return done


def call(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns about a generator that ends
        return function(*arguments, **options)


@pytest.mark.parametrize("name", TRAINED)
def test_arguments_give_the_results_of_keras(keras, pair, plan, name):
    kind, arguments = TRAINED[name]
    ours, theirs = pair(kind)
    found = call(ae_multi.fit, ours, **completed(keras, arguments), plan=plan)
    expected = call(keras.Model.fit, theirs, **completed(keras, arguments))
    assert found.epoch == expected.epoch
    assert found.history.keys() == expected.history.keys()
    for key, values in expected.history.items():
        np.testing.assert_allclose(found.history[key], values, rtol=1e-5, err_msg=key)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)
    shared = ("x", "batch_size", "verbose")
    for method, names in (("evaluate", (*shared, "y", "sample_weight")), ("predict", shared)):
        given = [
            {key: value for key, value in completed(keras, arguments).items() if key in names}
            for _ in range(2)
        ]
        one = call(getattr(ae_multi, method), ours, **given[0])
        other = call(getattr(keras.Model, method), theirs, **given[1])
        pairs = zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_that_keras_refuses_are_refused(keras, pair, plan, name):
    kind, arguments = REFUSED[name]
    ours, theirs = pair(kind)
    with pytest.raises(Exception) as expected:  # noqa: PT011
        call(keras.Model.fit, theirs, **completed(keras, arguments))
    with pytest.raises((expected.type, ae_multi.InputError)):
        call(ae_multi.fit, ours, **completed(keras, arguments), plan=plan)


def test_fallback_to_keras_is_logged_once(keras, pair, caplog):
    from ae_multi.training import plan as plans

    plans._logged_reasons.clear()
    model = pair("dense")[0]
    for _ in range(2):
        history = call(ae_multi.fit, model, scipy.sparse.csr_matrix(X), Y, verbose=0)
    assert history.plan.name == "keras"
    assert len([each for each in caplog.records if "sparse" in each.message]) == 1
    assert "csr_matrix" in history.plan.why


def test_order_within_batches_changes_between_epochs():
    from ae_multi.data.batches import epoch_order

    orders = [epoch_order(3, epoch, 20, 8, within_batches=True) for epoch in range(2)]
    assert orders[0].tolist() != orders[1].tolist()
    for order in orders:
        assert order[:8].tolist() != list(range(8))
        for begin in (0, 8, 16):
            block = order[begin : begin + 8]
            assert sorted(block) == list(range(begin, begin + len(block)))


def test_frozen_models_train_as_in_keras(keras):
    """Compare losses, weights, warnings and the number of steps."""

    def trained(fit, **options):
        model = build(keras, "dense")
        model.set_weights([np.full(weight.shape, 0.1) for weight in model.get_weights()])
        model.trainable = False
        model.compile("adam", "mse")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = fit(model, X, Y, epochs=2, shuffle=False, verbose=0, **options)
        warned = any("any trainable weights" in str(each.message) for each in caught)
        return history.history["loss"], model.get_weights(), warned, int(model.optimizer.iterations)

    losses, weights, warned, steps = trained(keras.Model.fit)
    for plan in dict(ae_multi.backends.current().plans(build(keras, "dense"))):
        if plan in ("inductor", "loop-xla", "scan-eigen"):
            continue
        found = trained(ae_multi.fit, plan=plan)
        np.testing.assert_allclose(found[0], losses, rtol=1e-5)
        for one, other in zip(found[1], weights, strict=True):
            np.testing.assert_array_equal(one, other)
        assert found[2:] == (warned, steps)


def test_model_without_an_optimizer_is_evaluated_as_in_keras(keras):
    model = build(keras, "dense")
    model.compile(None, "mse")
    expected = keras.Model.evaluate(model, X, Y, verbose=0)
    assert ae_multi.evaluate(model, X, Y, verbose=0) == pytest.approx(expected, rel=1e-6)
    with pytest.raises(Exception):  # noqa: B017, PT011
        keras.Model.fit(model, X, Y, verbose=0)
    with pytest.raises(Exception):  # noqa: B017, PT011
        ae_multi.fit(model, X, Y, verbose=0)


def test_jit_compile_false_disables_xla_plans(keras, backend_module):
    if backend_module != "tensorflow":
        pytest.skip("only TensorFlow has plans with and without XLA")
    from ae_multi import backends

    def plans(**options):
        model.compile("sgd", "mse", **options)
        return [name for name, _ in backends.current().plans(model)]

    model = build(keras, "dense")
    assert "loop-xla" in plans()
    assert "loop-xla" not in plans(jit_compile=False)
    assert "loop-xla" in plans(jit_compile="auto")
    assert "loop-xla" in plans(jit_compile=True)
    autoencoder = ae_multi.SimpleAutoencoder(2, 6)
    autoencoder.compile(jit_compile=False)
    assert autoencoder.get_compile_config()["jit_compile"] is False
    with pytest.raises(ae_multi.InputError, match="plan to be one of loop, step"):
        autoencoder.fit(X, plan="loop-xla")


def test_text_inputs_fall_back_to_keras(keras, backend_module, caplog):
    if backend_module != "tensorflow":
        pytest.skip("only TensorFlow has tensors of text")
    import tensorflow as tf

    words = np.array(["a b", "b c", "c", "a"] * 5, object)
    layers = keras.layers

    def text_model():
        keras.utils.set_random_seed(0)
        vectorize = layers.TextVectorization(output_mode="multi_hot")
        vectorize.adapt(words)
        return keras.Sequential([keras.Input((), dtype="string"), vectorize, layers.Dense(1)])

    ours, theirs = text_model(), text_model()
    for model in (ours, theirs):
        model.compile("sgd", "mse")
    for x in (words, tf.constant(words)):
        given = {"epochs": 2, "shuffle": False, "verbose": 0}
        found = ae_multi.fit(ours, x, W[:, None], **given)
        expected = keras.Model.fit(theirs, x, W[:, None], **given)
        np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-6)
        assert found.plan.name == "keras"
    assert ae_multi.evaluate(ours, words, W[:, None], verbose=0) == pytest.approx(
        keras.Model.evaluate(theirs, words, W[:, None], verbose=0), rel=1e-6
    )
    np.testing.assert_allclose(
        ae_multi.predict(ours, words), keras.Model.predict(theirs, words, verbose=0), rtol=1e-6
    )


@pytest.fixture
def limits(keras):
    yield keras.config
    keras.config.set_max_epochs(None)
    keras.config.set_max_steps_per_epoch(None)


def test_limits_of_keras_config_are_respected(keras, pair, plan, limits):
    limits.set_max_epochs(1)
    limits.set_max_steps_per_epoch(2)
    given = {"batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0}
    ours, theirs = pair("dense")
    with pytest.warns(UserWarning, match="Limiting"):
        found = ae_multi.fit(ours, X, Y, **given, validation_data=(X, Y), plan=plan)
    expected = call(keras.Model.fit, theirs, X, Y, **given, validation_data=(X, Y))
    assert found.epoch == [0]
    for key, values in expected.history.items():
        np.testing.assert_allclose(found.history[key], values, rtol=1e-5, err_msg=key)
    assert int(ours.optimizer.iterations) == 2
    with pytest.warns(UserWarning, match="Limiting"):
        one = ae_multi.evaluate(ours, X, Y, batch_size=8, verbose=0)
    other = call(keras.Model.evaluate, theirs, X, Y, batch_size=8, verbose=0)
    outputs = call(ae_multi.predict, ours, X, batch_size=8)
    np.testing.assert_allclose(one, other, rtol=1e-5)
    assert len(outputs) == 16


def test_custom_predict_step_is_used(keras, caplog):
    class Doubled(keras.Sequential):
        def predict_step(self, *arguments):
            found = super().predict_step(*arguments)
            if isinstance(found, tuple):  # on JAX the step also returns the state
                return 2 * found[0], *found[1:]
            return 2 * found

    model = Doubled([keras.Input((6,)), keras.layers.Dense(3)])
    with caplog.at_level(logging.WARNING):
        found = ae_multi.predict(model, X)
    np.testing.assert_allclose(found, 2 * keras.ops.convert_to_numpy(model(X)), rtol=1e-5)


def test_models_of_the_package_accept_bfloat16(keras, plan):
    losses = []
    for x in (X.astype(BF16).astype(np.float32), X.astype(BF16)):
        x = keras.ops.convert_to_tensor(x) if losses else x
        model = ae_multi.SimpleAutoencoder(2, 6)
        model.compile()
        losses.append(model.fit(x, x, verbose=0, plan=plan).history["loss"])
        losses.append(model.evaluate(x, verbose=0))
    assert losses[:2] == losses[2:]


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize("imports", ["import ae_multi, keras", "import keras, ae_multi"])
def test_jit_compile_is_recorded_for_any_import_order(fresh_python, imports):
    code = f"""{imports}
from ae_multi import _jit_compile
for value in (False, "auto"):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(jit_compile=value)
    print(_jit_compile.is_refused(model))"""
    done = fresh_python(code)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize("samples", [48, 43])
@pytest.mark.parametrize("steps", [3, 4])
@pytest.mark.parametrize("plan", [None, "keras"])
def test_epochs_of_few_steps_continue_through_the_samples_as_in_keras(keras, samples, steps, plan):
    numbers = np.arange(samples, dtype=np.float32)[:, None]

    def mean_of_targets(y, y_pred):
        return y

    def model():
        net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        net.compile(keras.optimizers.SGD(0.0), "mse", metrics=[mean_of_targets])
        return net

    options = {"batch_size": 8, "epochs": 5, "steps_per_epoch": steps, "verbose": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns about an epoch with fewer steps
        theirs = keras.Model.fit(model(), numbers, numbers, shuffle=False, **options)
        ours = ae_multi.fit(model(), numbers, numbers, shuffle=False, plan=plan, **options)
    name = "mean_of_targets"
    np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=1e-6)


def test_shuffled_epochs_of_few_steps_share_a_pass_through_the_samples():
    from ae_multi.data.batches import BatchOrder

    order = BatchOrder(48, 8, seed=0, steps=3)
    passes = [np.concatenate([order.epoch(e)[0] for e in pair]) for pair in ((0, 1), (2, 3))]
    assert [sorted(each.ravel()) for each in passes] == [list(range(48))] * 2
    assert not np.array_equal(*passes)
    later = BatchOrder(48, 8, seed=0, steps=3, offset=1)  # after a training of one epoch
    np.testing.assert_array_equal(later.epoch(0)[0], order.epoch(1)[0])


def test_class_weights_do_not_apply_to_the_validation_split(keras):
    numbers = np.random.default_rng(0)
    x, y = numbers.normal(size=(40, 6)).astype(np.float32), numbers.integers(0, 2, 40)
    start = [numbers.normal(size=(6, 2)), np.zeros(2)]

    def history(fit):
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, "softmax")])
        model.set_weights(start)
        model.compile("sgd", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
        options = {"batch_size": 8, "shuffle": False, "verbose": 0, "validation_split": 0.4}
        return fit(model, x, y, class_weight={0: 2.0, 1: 3.0}, **options).history

    ours, theirs = history(ae_multi.fit), history(keras.Model.fit)
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-5, err_msg=name)


def test_metrics_of_masked_outputs_equal_keras(keras):
    from ae_multi import backends

    numbers = np.random.default_rng(0)
    x, y = numbers.integers(0, 3, (40, 5)), numbers.normal(size=(40, 5, 1)).astype(np.float32)
    start = [numbers.normal(size=(9, 4)), numbers.normal(size=(4, 1)), np.zeros(1)]

    def history(fit, **options):
        inputs = keras.Input((5,))
        hidden = keras.layers.Embedding(9, 4, mask_zero=True)(inputs)
        model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
        model.set_weights(start)
        optimizer = keras.optimizers.SGD(0.0)
        model.compile(optimizer, "mse", metrics=["mse"], weighted_metrics=["mae"])
        return model, fit(model, x, y, batch_size=8, shuffle=False, verbose=0, **options).history

    model, theirs = history(keras.Model.fit)
    for plan, _ in backends.current().plans(model):
        if plan in ("inductor", "loop-xla", "scan-eigen"):
            continue
        for name, values in history(ae_multi.fit, plan=plan)[1].items():
            np.testing.assert_allclose(theirs[name], values, rtol=1e-5, err_msg=f"{plan} {name}")
