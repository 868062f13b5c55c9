"""Native training loops compared with Keras."""

import numpy as np
import pytest

import ae_multi

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]

RATE = 1e-3


def networks():
    """Return a function that makes a model, and samples, for each kind of network."""
    draw = np.random.default_rng(0).random
    return {
        "dense": (
            lambda: ae_multi.DeepAutoencoder((7, 5), 3, (4, 4, 1), seed=1),
            draw((60, 4, 4, 1), np.float32),
        ),
        "convolutional": (
            lambda: ae_multi.ConvAutoencoder((5, 3), 4, (8, 12, 2), seed=1),
            draw((60, 8, 12, 2), np.float32),
        ),
    }


@pytest.mark.parametrize("name", ["dense", "convolutional"])
def test_native_loops_equal_keras(name, keras, backend):
    from benchmarks.contenders import _loop, native

    make, x = networks()[name]
    order = np.arange(60, dtype=np.int32).reshape(6, 10)
    model = make()
    model.compile(keras.optimizers.Adam(RATE), "mse")
    expected = []
    for rows in order:
        model.reset_metrics()  # otherwise the loss is the mean over all steps
        expected.append(float(model.train_on_batch(x[rows], x[rows])))
    for way in _loop().WAYS:
        if name == "dense" or way != "xla":
            losses = native(make(), x, way)(order)
            np.testing.assert_allclose(losses, expected, rtol=3e-6, err_msg=way)


def test_native_cuda_graph_loop_equals_the_eager_loop(keras, backend, monkeypatch):
    if backend != "torch":
        pytest.skip("only the native loop of PyTorch has CUDA graphs")
    from benchmarks.contenders import native
    from tests.reference import cuda_graphs

    make, x = networks()["dense"]
    order = np.arange(60, dtype=np.int32).reshape(30, 2)
    expected = native(make(), x, "eager")(order)
    cuda_graphs.pretend(monkeypatch)
    losses = native(make(), x, "graph")(order)
    np.testing.assert_allclose(losses, expected, rtol=3e-6)
    assert cuda_graphs.Graph.replays == 1 + 14  # 16 steps in one graph, 14 single ones


def test_unknown_layers_are_refused(keras):
    from benchmarks.native.description import describe

    model = ae_multi.ConvAutoencoder((4,), 3, (9, 9, 1))  # odd sides are cropped
    with pytest.raises(ValueError, match="even sides"):
        describe([*model.encoder.layers, *model.decoder.layers])
