"""Each function of `ae_multi._keras_internals`; no other module uses Keras's private API."""

import ast
import importlib.util
import pathlib
import re

import numpy as np
import pytest

import ae_multi

ROOT = pathlib.Path(ae_multi.__file__).parent
# Modules that run before Keras is imported.
ALLOWED = {"_keras_internals.py", "_keras_registry.py", "_jit_compile.py"}
SOURCES = [path for path in sorted(ROOT.rglob("*.py")) if path.name not in ALLOWED]


def private_names_of_keras():
    """Return the private attributes and methods that Keras's sources define."""
    folder = pathlib.Path(importlib.util.find_spec("keras").origin).parent / "src"
    text = "\n".join(
        path.read_text() for path in folder.rglob("*.py") if not path.stem.endswith("_test")
    )
    pairs = re.findall(r"\bself\.(_[a-z]\w*)\b|\bdef (_[a-z]\w*)", text)
    return {name for pair in pairs for name in pair} - {""}


def names_defined_here():
    """Yield the private attributes that this package assigns, and its private methods."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                if ast.unparse(node.value) == "self" and node.attr.startswith("_"):
                    yield node.attr
            elif isinstance(node, ast.ClassDef):
                methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
                yield from (each.name for each in methods if each.name.startswith("_"))


def private_uses(path, names):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            if ast.unparse(node) == "keras.src" or node.attr in names:
                yield f"{path.name}:{node.lineno} {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("keras.src"):
            yield f"{path.name}:{node.lineno} {node.module}"


def test_one_module_uses_the_private_api_of_keras():
    names = private_names_of_keras() - set(names_defined_here())
    assert {"_flatten_layers", "_loss_tracker", "_value"} <= names
    assert [use for path in SOURCES for use in private_uses(path, names)] == []


@pytest.fixture
def internals(keras):
    from ae_multi import _keras_internals

    return _keras_internals


@pytest.fixture
def model(keras):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inner(inputs)))
    model.compile("adam", "mse", metrics=["mae"], weighted_metrics=["mse"])
    return model


X, Y = np.ones((6, 4), np.float32), np.ones((6, 2), np.float32)


@pytest.mark.backend
def test_layer_functions_return_layers_variables_and_shapes(internals, keras, model):
    layers = internals.flatten_layers(model)
    assert layers[0] is model
    assert internals.flatten_layers(model, include_self=False) == layers[1:]
    dense = next(layer for layer in layers if isinstance(layer, keras.layers.Dense))
    names = [type(layer).__name__ for layer in internals.direct_sublayers(model)]
    assert names == ["InputLayer", "Sequential", "Dense"]
    assert [v.name for v in internals.own_trainable_variables(dense)] == ["kernel", "bias"]
    assert internals.own_variables(model) == []
    normal = keras.layers.BatchNormalization()
    normal.build((None, 4))
    assert len(internals.own_variables(normal)) == 4
    drawing = [layer for layer in layers if internals.has_seed_generator(layer)]
    assert [type(layer) for layer in drawing] == [keras.layers.Dropout]
    assert internals.output_shapes(layers[-1])[-1][0] is None
    assert internals.call_arguments(model, training=True) == {"training": True}
    assert internals.call_arguments(keras.layers.Flatten(), training=True) == {}


@pytest.mark.backend
def test_raw_values_of_variables_are_read_and_assigned(internals, keras, model):
    variables = model.trainable_variables
    values = internals.raw_values(variables)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(values[0]), keras.ops.convert_to_numpy(variables[0])
    )
    zeros = [keras.ops.zeros(variable.shape) for variable in variables]
    internals.assign_raw_values(variables, zeros)
    assert not any(np.any(keras.ops.convert_to_numpy(variable)) for variable in variables)
    assert issubclass(keras.Variable, internals.variable_class())


@pytest.mark.backend
def test_unfilled_variables_have_an_initializer_and_no_value(internals, keras):
    assert not internals.is_in_stateless_scope()
    with internals.unfilled_variables():
        assert internals.is_in_stateless_scope()
        dense = keras.layers.Dense(2, kernel_initializer="he_normal")
        dense.build((None, 3))
        assert internals.raw_values(dense.variables) == [None, None]
    assert isinstance(internals.initializer_of(dense.kernel), keras.initializers.HeNormal)
    # Creating another variable does not give these values, as Keras would without the function.
    keras.Variable(0.0)
    assert internals.raw_values(dense.variables) == [None, None]
    assert internals.compute_fans((3, 3, 5, 7)) == (45, 63)


@pytest.mark.backend
def test_functions_of_compiled_models_equal_methods_of_keras(internals, keras, model):
    internals.check_compiled(model, "evaluate")
    with pytest.raises(ValueError, match=r"compile\(\)"):
        internals.check_compiled(keras.Sequential(), "evaluate")
    first = internals.loss_tracker(model)
    assert first.name == "loss"
    internals.build_symbolically(model, (X, Y, np.ones(6, np.float32)))
    assert model.optimizer.built
    assert list(map(id, internals.optimizer_variables(model.optimizer))) == list(
        map(id, model.trainable_variables)
    )
    outputs = model(X, training=False)
    loss = internals.compute_loss(model, X, Y, outputs, None, training=False)
    expected = np.mean((keras.ops.convert_to_numpy(outputs) - 1) ** 2)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(loss), expected, rtol=1e-5)
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert internals.metrics_result(model, logs) == logs
    assert internals.metrics_in_order(model, logs) == model.evaluate(X, Y, verbose=0)
    assert [internals.should_evaluate(model, epoch, 2) for epoch in range(4)] == [False, True] * 2
    assert internals.restored_epoch(model) == 0
    assert not internals.has_distribute_strategy(model)
    assert internals.compile_config(model)["loss"] == "mse"
    assert internals.compile_config(keras.Sequential()) == {}
    model.compile("adam", "mse")
    assert internals.loss_tracker(model) is not first


@pytest.mark.backend
def test_optimizer_functions_return_settings_and_replace_the_step(internals, keras, model):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    assert internals.has_learning_rate_schedule(keras.optimizers.SGD(schedule))
    assert not internals.has_learning_rate_schedule(keras.optimizers.SGD(0.1))
    assert internals.learning_rate_setting(keras.optimizers.SGD(schedule)) is schedule
    assert not internals.is_backend_class(keras.optimizers.schedules.CosineDecay.__module__)
    optimizer = model.optimizer
    optimizer.build(model.trainable_variables)
    first, second = internals.adam_moments(optimizer, model.trainable_variables[:2])
    assert [v.shape for v in first] == [v.shape for v in second]
    assert [tuple(v.shape) for v in first] == [tuple(v.shape) for v in model.weights[:2]]
    calls = []
    internals.replace_update_step(optimizer, lambda *arguments: calls.append(arguments))
    gradients = [keras.ops.ones(variable.shape) for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    internals.restore_update_step(optimizer)
    assert len(calls) == 1
    optimizer.apply(gradients, model.trainable_variables)
    assert len(calls) == 1
    assert callable(internals.update_step(type(optimizer)))


@pytest.mark.backend
def test_callback_functions_print_progress_and_list_state(internals, keras, model, capsys):
    callbacks = keras.callbacks.CallbackList([], model=model)
    internals.shut_down_threads(callbacks)
    logger = keras.callbacks.ProgbarLogger()
    logger.set_params({"verbose": 1, "epochs": 1, "steps": 10})
    internals.show_progress(logger, 5, {"loss": 0.25}, lambda seconds: " - quick")
    logger.progbar.interval = 0  # at most every 50 ms by default
    internals.show_progress(logger, 10, {"loss": 0.5}, lambda seconds: " - quick")
    text = capsys.readouterr().out
    assert "5/10" in text
    assert "10/10" in text
    assert "quick - loss: 0.5000" in text.splitlines()[-1].replace("\x08", "")
    assert "quick - quick" not in text
    for kind, names in internals.CALLBACK_STATE.items():
        arguments = ["x.keras"] if kind is keras.callbacks.ModelCheckpoint else []
        callback = kind(*arguments)
        callback.set_model(model)
        callback.on_train_begin()
        assert [name for name in names if not hasattr(callback, name)] == []


@pytest.mark.backend
def test_data_functions_convert_arrays_and_data_sets(internals, keras):
    pandas = pytest.importorskip("pandas")
    from scipy import sparse

    assert internals.can_convert_arrays((X, None))
    assert not internals.can_convert_arrays("text")
    assert internals.to_numpy(pandas.Series([1, 2])).shape == (2, 1)
    assert internals.to_numpy(keras.ops.ones((2, 3))).shape == (2, 3)
    weights = internals.class_weight_to_sample_weights(np.array([0, 1, 1]), {0: 2.0, 1: 0.5})
    np.testing.assert_array_equal(weights, [2, 0.5, 0.5])
    assert internals.is_sparse_or_ragged(sparse.csr_matrix(np.eye(2)))
    assert not internals.is_sparse_or_ragged(X)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            return X[:3], Y[:3]

    adapter = internals.DatasetAdapter(Batches())
    batches = list(adapter.get_torch_dataloader())
    assert len(batches) == 2
    assert keras.ops.is_tensor(batches[0][0])


@pytest.mark.backend
def test_random_and_control_flow_functions_exist(internals, keras):
    assert callable(internals.random_module().uniform)
    keras.layers.Dropout(0.5)(X, training=True)
    generator = internals.global_seed_generator()
    assert generator is None or isinstance(generator, keras.random.SeedGenerator)
    for module, name in internals.control_flow_functions():
        assert callable(getattr(module, name))


@pytest.mark.backend
def test_bookkeeping_attributes_exist(internals, keras, model):
    model.fit(X, Y, verbose=0)
    model.predict(X, verbose=0)
    found = {name for layer in internals.flatten_layers(model) for name in vars(layer)}
    # The other bookkeeping attributes exist on one backend each.
    expected = {"_called", "_compile_config", "_inbound_nodes", "_losses", "_loss_ids",
                "_outbound_nodes", "stop_training", "train_function"}  # fmt: skip
    assert expected <= found
    assert expected <= internals.BOOKKEEPING_ATTRIBUTES


@pytest.mark.backend
def test_random_rows_are_restored_and_cover_the_functions(internals, keras):
    module = internals.random_module()
    names = ("normal", "uniform", "truncated_normal", "randint", "dropout")
    before = [getattr(module, name) for name in names]
    whole = keras.ops.convert_to_numpy(keras.random.randint((6, 2), 0, 100, seed=1))
    with internals.random_rows(1, 2):
        part = keras.ops.convert_to_numpy(keras.random.randint((3, 2), 0, 100, seed=1))
    np.testing.assert_array_equal(part, whole[3:])
    assert [getattr(module, name) for name in names] == before


@pytest.mark.backend
def test_batch_moments_are_replaced(internals, keras):
    layer = keras.layers.BatchNormalization(epsilon=0.0)
    x = keras.ops.convert_to_tensor(np.random.default_rng(0).random((6, 3), np.float32))
    expected = layer(x, training=True)
    with internals.replaced_batch_moments(lambda x, axes: (keras.ops.zeros(3), keras.ops.ones(3))):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(layer(x, training=True)), keras.ops.convert_to_numpy(x)
        )
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(layer(x, training=True)), keras.ops.convert_to_numpy(expected)
    )
