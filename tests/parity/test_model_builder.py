"""Models built by each process of a parity check."""

import numpy as np
import pytest

from ae_multi.errors import InputError

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).random((5, 4), np.float32)

MODULE = """
import keras

class Mine(keras.layers.Dense):
    pass

class Never(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(4)

    def call(self, x):
        return self.dense(x)

def own_layer():
    return keras.Sequential([Mine(4), keras.layers.Lambda(lambda x: 2 * x)])

def never_called():
    return Never()

def two_outputs():
    x = keras.Input((4,))
    return keras.Model(x, [keras.layers.Dense(2)(x), keras.layers.Dense(3)(x)])

class Picky(keras.Model):
    def call(self, x):
        if x.shape[-1] == 4:
            raise ValueError("four is\\nrefused")
        return x

def picky():
    return Picky()

def images():
    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])

def two_inputs():
    x, y = keras.Input((4,)), keras.Input((2,))
    return keras.Model([x, y], keras.layers.Concatenate()([x, y]))

def nothing():
    return None

def failing():
    return 1 / 0
"""


@pytest.fixture
def built(tmp_path):
    """Function that builds the model of a function in `MODULE` for inputs."""
    from ae_multi.parity.model_builder import build

    (tmp_path / "mine.py").write_text(MODULE)
    return lambda name, *inputs: build(f"{tmp_path}/mine.py:{name}", list(inputs or [X]))


@pytest.mark.parametrize("name", ["own_layer", "never_called"])
def test_custom_layers_lambdas_and_unbuilt_models_are_built(built, name):
    model = built(name)
    assert model.compiled
    assert [weight.shape for weight in model.weights] == [(4, 4), (4,)]
    assert np.isfinite(model.train_on_batch(X, X))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "function missing in .*mine.py. Received: none"),
        ("nothing", "return a Keras model. Received: NoneType"),
        ("failing", "to build a model. Received: ZeroDivisionError"),
    ],
)
def test_functions_that_build_no_model_are_refused(built, name, message):
    with pytest.raises(InputError, match=message):
        built(name)


@pytest.mark.parametrize(
    ("name", "inputs", "expected", "received"),
    [
        ("two_outputs", [X[:, :3]], "(n, 4), which ", "(n, 3)."),
        ("two_outputs", [X, X], "(n, 4), which ", "(n, 4), (n, 4)."),
        ("images", [np.zeros((5, 6, 6), np.float32)], "(n, 8, 8, 3), which ", "(n, 6, 6)."),
        ("two_inputs", [X], "(n, 4), (n, 2), which ", "(n, 4)."),
    ],
)
def test_mismatched_inputs_are_refused_in_one_line(built, name, inputs, expected, received):
    with pytest.raises(InputError) as raised:
        built(name, *inputs)
    message = str(raised.value)
    assert message.startswith(f"Expected inputs of shape {expected}")
    assert message.endswith(f"mine.py:{name} takes. Received: {received}")
    assert "\n" not in message


def test_errors_of_subclassed_models_are_one_line(built):
    with pytest.raises(InputError) as raised:
        built("picky", X)
    message = str(raised.value)
    assert "picky to take inputs of shape (n, 4). Received: " in message
    assert "four is refused" in message
    assert "\n" not in message
    assert "Arguments received" not in message
    assert len(message) < 600


def test_mismatched_targets_are_refused(built):
    from ae_multi.parity.model_builder import check_targets

    model = built("two_outputs")
    check_targets("two_outputs", model, [X], [X[:, :2], X[:, :3]])
    for targets in ([X], [X[:, :2], X[:, :3], X], [X[:, :2], X]):
        with pytest.raises(InputError, match="loss of two_outputs to take targets of shapes"):
            check_targets("two_outputs", model, [X], targets)


def test_missing_import_of_a_module_is_reported(tmp_path):
    from ae_multi.parity.model_builder import build

    (tmp_path / "mine.py").write_text("import a_layer_of_somebody_s\n")
    with pytest.raises(
        InputError, match=r"import .*mine\.py\. Received: ModuleNotFoundError.*a_la"
    ):
        build(f"{tmp_path}/mine.py:build", [X])
