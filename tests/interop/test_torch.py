"""Models converted to plain PyTorch modules."""

import io

import numpy as np
import pytest

import ae_multi
from ae_multi.backend_selection import installed
from tests.reference import numpy_dense
from tests.reference.movable_models import MODELS, images_for, outputs_of, package_model

pytestmark = pytest.mark.backend

here = pytest.mark.skipif(not installed("torch"), reason="PyTorch is not installed")


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def outputs(module, x):
    import torch

    with torch.no_grad():
        return module(torch.from_numpy(x)).numpy()


@here
@pytest.mark.parametrize("name", MODELS)
def test_module_equals_the_model(name):
    model = MODELS[name]()
    x = images_for(model)
    found, expected = outputs(ae_multi.to_torch(model), x), outputs_of(model, x)
    assert found.shape == expected.shape
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@here
@pytest.mark.parametrize(
    ("name", "activations"),
    [
        ("simple", ["relu", "sigmoid"]),
        ("deep", ["relu"] * 4 + ["linear"] + ["relu"] * 4 + ["sigmoid"]),
    ],
)
def test_modules_of_dense_models_equal_numpy_in_float64(name, activations):
    model = package_model(name)
    x = images_for(model)
    layers = numpy_dense.forward(model.get_weights(), activations, x.reshape(len(x), -1))
    module = ae_multi.to_torch(model)
    np.testing.assert_allclose(outputs(module, x).reshape(6, -1), layers[-1], rtol=0, atol=1e-6)
    code = layers[len(activations) // 2]
    np.testing.assert_allclose(
        outputs(module.encoder, x), code, rtol=0, atol=1e-6 * abs(code).max()
    )


@here
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("strides", [1, 2, 3, (2, 1)])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_padding_equals_keras(keras, kernel, strides, padding):
    kl = keras.layers
    for size in ((5, 6), (7, 8)):
        for layer in (kl.Conv2D, kl.Conv2DTranspose):
            model = keras.Sequential(
                [keras.Input((*size, 2)), layer(3, kernel, strides=strides, padding=padding)]
            )
            x = images_for(model)
            expected = outputs_of(model, x)
            found = outputs(ae_multi.to_torch(model), x)
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@here
def test_module_consists_of_pytorch_layers():
    module = ae_multi.to_torch(package_model("simple"))
    assert list(module.state_dict()) == [
        "encoder.1.weight",
        "encoder.1.bias",
        "decoder.0.weight",
        "decoder.0.bias",
    ]
    assert [str(layer) for layer in module.encoder] == [
        "Flatten(start_dim=1, end_dim=-1)",
        "Linear(in_features=784, out_features=32, bias=True)",
        "ReLU()",
    ]
    for name in MODELS:
        for part in ae_multi.to_torch(MODELS[name]()).modules():
            origin = type(part).__module__
            assert origin.startswith(("torch.nn", "torch.fx", "ae_multi.backends.torch")), origin
            assert not any("keras" in type(value).__module__ for value in vars(part).values())


@here
def test_module_shares_no_memory_with_the_model(torch):
    model = package_model("simple")
    x = images_for(model)
    before = outputs_of(model, x)
    module = ae_multi.to_torch(model)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(outputs_of(model, x), before)


@here
@pytest.mark.parametrize("name", ["conv", "top-k", "words", "branches", "square images"])
def test_module_can_be_saved_traced_and_exported(torch, name):
    model = MODELS[name]()
    module = ae_multi.to_torch(model)
    x = torch.from_numpy(images_for(model))
    with torch.no_grad():
        expected = module(x)
        with pytest.deprecated_call():  # PyTorch deprecates `torch.jit.trace`
            traced = torch.jit.trace(module, x)
        torch.testing.assert_close(traced(x), expected)
        batch = torch.export.Dim("batch", min=2)
        exported = torch.export.export(module, (x[:3],), dynamic_shapes=({0: batch},)).module()
        torch.testing.assert_close(exported(x), expected)
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = ae_multi.to_torch(model)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.zero_()
    other.load_state_dict(torch.load(file, weights_only=True))
    with torch.no_grad():
        torch.testing.assert_close(other(x), expected)


@here
def test_training_the_module_lowers_the_loss(torch):
    model = package_model("words")
    module = ae_multi.to_torch(model).train()
    x = torch.from_numpy(images_for(model, 64))
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(module(x), x)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert all(
        p.grad.abs().max() > 0 for p in module.encoder.parameters() if p.ndim == 2 and len(p) != 64
    )


def test_error_for_an_unsupported_layer_states_its_name(keras):
    class Custom(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    kl = keras.layers
    for layer, message in [
        (Custom(name="mine"), "'mine'.*Custom"),
        (kl.Dense(3, activation=keras.ops.sin, name="wave"), "'wave'.*sin"),
        (kl.Dense(3, dtype="float16", name="half"), "'half'.*float16"),
        (
            kl.BatchNormalization(scale=False, name="shift"),
            "'shift'.*does not both scale and centre",
        ),
    ]:
        model = keras.Sequential([keras.Input((4,)), layer])
        with pytest.raises(ae_multi.InputError, match=message):
            ae_multi.interop.extract.extract_network(model)
    twice = kl.Dense(4, name="twice")
    inputs = keras.Input((4,))
    with pytest.raises(ae_multi.InputError, match="'twice', used 2 times"):
        ae_multi.interop.extract.extract_network(keras.Model(inputs, twice(twice(inputs))))
    with pytest.raises(ae_multi.InputError, match="Expected a Keras model"):
        ae_multi.interop.extract.extract_network("model")


@pytest.mark.skipif(installed("torch"), reason="PyTorch is installed")
def test_missing_pytorch_is_reported():
    with pytest.raises(ae_multi.BackendError, match="pip install torch"):
        ae_multi.to_torch(package_model("simple"))
