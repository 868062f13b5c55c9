"""TensorFlow's kernel for Adam stands in for Keras's formula, where it is the same."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture(autouse=True)
def on_tensorflow(backend):
    if backend != "tensorflow":
        pytest.skip("the kernel is TensorFlow's")


def dense(keras, optimizer):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3), keras.layers.Dense(5)])
    model.compile(optimizer, "mse")
    return model


def kernels(model, x):
    """How many weights a step updates by the kernel."""
    from ae_multi.backends import current

    model._symbolic_build(data_batch=(x, x))
    held = current().hold((x, x, None))
    program = current().Steps(model, held, "step", True, 4, 2)._program
    return sum(op.type == "ResourceApplyAdam" for op in program.graph.get_operations())


def test_which_updates_are_kernels(keras):
    x = np.ones((8, 5), np.float32)
    kinds = keras.optimizers

    class Own(kinds.Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(2 * gradient, variable, learning_rate)

    found = {
        name: kernels(dense(keras, optimizer), x)
        for name, optimizer in {
            "adam": kinds.Adam(),
            "adamw": kinds.AdamW(weight_decay=0.1),
            "amsgrad": kinds.Adam(amsgrad=True),
            "own": Own(),
            "sgd": kinds.SGD(),
        }.items()
    }
    assert found == {"adam": 4, "adamw": 4, "amsgrad": 0, "own": 0, "sgd": 0}


def test_rows_of_an_embedding_are_updated_as_keras_does(keras):
    import ae_multi

    x = np.random.default_rng(0).integers(0, 6, (20, 3))
    y = np.random.default_rng(1).random((20, 2), np.float32)
    weights = []
    for plan in ("loop", "keras"):
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input((3,), dtype="int32"), layers.Embedding(6, 4), layers.Flatten(),
             layers.Dense(2)]
        )  # fmt: skip
        for weight in model.trainable_variables:
            weight.assign(np.random.default_rng(weight.shape[0]).normal(size=weight.shape))
        model.compile(keras.optimizers.Adam(0.1), "mse")
        ae_multi.fit(model, x, y, batch_size=4, epochs=3, shuffle=False, verbose=0, plan=plan)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
