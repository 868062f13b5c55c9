"""Weights of PyTorch loaded into models."""

from itertools import pairwise

import numpy as np
import pytest

import ae_multi
from ae_multi.backend_selection import installed
from tests.reference import numpy_dense
from tests.reference.movable_models import MODELS, images_for, outputs_of, package_model, randomized
from tests.reference.pt_files import write_pt

pytestmark = pytest.mark.backend

here = pytest.mark.skipif(not installed("torch"), reason="PyTorch is not installed")

SIMPLE = ([784, 32, 784], ["relu", "sigmoid"])
DEEP = (
    [784, 128, 64, 36, 18, 9, 18, 36, 64, 128, 784],
    ["relu"] * 4 + ["linear"] + ["relu"] * 4 + ["sigmoid"],
)


def state_dict(sizes, keys):
    """Return dense weights as state dict of PyTorch, and as list for the NumPy reference."""
    rng = np.random.default_rng(3)
    state, weights = {}, []
    for (inputs, outputs), key in zip(pairwise(sizes), keys, strict=True):
        state[f"{key}.weight"] = rng.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        state[f"{key}.bias"] = rng.normal(0, 0.1, outputs).astype(np.float32)
        weights += [state[f"{key}.weight"].T, state[f"{key}.bias"]]
    return state, weights


def assert_equals_numpy(model, weights, activations):
    x = images_for(model)
    expected = numpy_dense.forward(weights, activations, x.reshape(len(x), -1))[-1]
    found = outputs_of(model, x).reshape(len(x), -1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


# Keys of common modules: with and without Flatten, in one Sequential, with attribute names.
TUTORIALS = {
    "sub-Sequentials": [*(f"encoder.{i}" for i in range(0, 10, 2)),
                        *(f"decoder.{i}" for i in range(0, 10, 2))],
    "Flatten first": [*(f"encoder.{i}" for i in range(1, 11, 2)),
                      *(f"decoder.{i}" for i in range(0, 10, 2))],
    "one Sequential": [str(i) for i in range(1, 21, 2)],
    "named": [f"fc{i}" for i in range(1, 11)],
    "DataParallel": [*(f"module.encoder.{i}" for i in range(0, 10, 2)),
                     *(f"module.decoder.{i}" for i in range(0, 10, 2))],
}  # fmt: skip


@pytest.mark.once
@pytest.mark.parametrize("name", TUTORIALS)
@pytest.mark.parametrize("order", ["as saved", "sorted", "decoder first"])
def test_common_forms_of_state_dicts_load(name, order):
    state, weights = state_dict(DEEP[0], TUTORIALS[name])
    if order == "sorted":
        state = dict(sorted(state.items()))
    elif order == "decoder first" and "coder" in next(iter(state)):
        state = {key: state[key] for key in sorted(state, key=lambda key: "encoder" in key)}
    assert_equals_numpy(ae_multi.from_torch(state, ae_multi.DeepAutoencoder()), weights, DEEP[1])


def test_square_layers_are_transposed_and_in_order(keras):
    state, _ = state_dict([6] * 13, [str(i) for i in range(12)])
    dense = [keras.layers.Dense(6, activation="tanh") for _ in range(12)]
    model = keras.Sequential([keras.Input((6,)), *dense])
    x = np.random.default_rng(0).random((5, 6), np.float32)
    expected = x
    for i in range(12):
        expected = np.tanh(expected @ np.float64(state[f"{i}.weight"]).T + state[f"{i}.bias"])
    for weights in (state, dict(sorted(state.items()))):
        ae_multi.from_torch(weights, randomized(model))
        np.testing.assert_allclose(outputs_of(model, x), expected, rtol=0, atol=1e-6)


@here
@pytest.mark.parametrize("name", MODELS)
def test_changed_weights_are_loaded_into_the_model(name):
    import torch

    model = MODELS[name]()
    module = ae_multi.to_torch(model)
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.add_(0.01 * torch.rand(value.shape))
    x = images_for(model)
    with torch.no_grad():
        expected = module(torch.from_numpy(x)).numpy()
    for source in (module, module.state_dict()):
        other = randomized(MODELS[name](), seed=5)
        assert abs(outputs_of(other, x) - expected).max() > 1e-5
        assert ae_multi.from_torch(source, other) is other
        np.testing.assert_allclose(outputs_of(other, x), expected, rtol=0, atol=1e-6)


def test_file_loads_without_pytorch(tmp_path):
    state, weights = state_dict(DEEP[0], TUTORIALS["sub-Sequentials"])
    write_pt(tmp_path / "state.pt", state, within="model_state_dict")
    model = ae_multi.from_torch(tmp_path / "state.pt", ae_multi.DeepAutoencoder())
    assert_equals_numpy(model, weights, DEEP[1])
    with pytest.raises(ae_multi.InputError, match=r"'encoder.0.weight' in .*state.pt"):
        ae_multi.from_torch(str(tmp_path / "state.pt"), ae_multi.DeepAutoencoder((64, 32, 16, 8)))


@here
@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_other_precisions_are_converted_to_float32(dtype):
    import torch

    sizes, activations = SIMPLE
    state, weights = state_dict(sizes, ["encoder.0", "decoder.0"])
    dtype = getattr(torch, dtype)
    tensors = {key: torch.from_numpy(a).to(dtype) for key, a in state.items()}
    rounded = [torch.from_numpy(a.copy()).to(dtype).float().numpy() for a in weights]
    model = ae_multi.from_torch(tensors, ae_multi.SimpleAutoencoder())
    assert_equals_numpy(model, rounded, activations)


def damaged(state, damage):
    """Change the state dict in place; return it."""
    key, last = "encoder.0.weight", "decoder.0.bias"
    if damage == "transposed":
        state[key] = state[key].T
    elif damage == "fewer":
        del state[last]
    elif damage == "more":
        state["classifier.weight"] = np.zeros((10, 32), np.float32)
    elif damage == "integers":
        state[key] = state[key].astype(int)
    elif damage == "nothing":
        state[key] = None
    elif damage == "NaN":
        state[last] = state[last] * np.nan
    return state


@pytest.mark.once
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("transposed", r"'encoder.0.weight' .*shape \(32, 784\). Received: \(784, 32\)"),
        ("fewer", r"4 weights, encoder.1.weight \(32, 784\).*Received: 3"),
        ("more", "4 weights.*Received: 5.*classifier.weight"),
        ("integers", "'encoder.0.weight'.*floating-point numbers. Received: int64"),
        ("nothing", "'encoder.0.weight'.*Received: NoneType"),
        ("NaN", "'decoder.0.bias'.*finite"),
    ],
)
def test_mismatched_weights_are_refused_and_change_nothing(damage, message):
    state, _ = state_dict(SIMPLE[0], ["encoder.0", "decoder.0"])
    model = package_model("simple")
    before = model.get_weights()
    with pytest.raises(ae_multi.InputError, match=message):
        ae_multi.from_torch(damaged(state, damage), model)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_sorted_keys_without_numbers_are_refused():
    state, _ = state_dict(SIMPLE[0], ["squeeze", "expand"])
    ae_multi.from_torch(state, ae_multi.SimpleAutoencoder())
    with pytest.raises(ae_multi.InputError, match="sorted keys, expand"):
        ae_multi.from_torch(dict(sorted(state.items())), ae_multi.SimpleAutoencoder())


def test_other_objects_are_refused():
    for source in (3, [np.zeros(3)], {1: np.zeros(3)}):
        with pytest.raises(ae_multi.InputError, match="a state dict"):
            ae_multi.from_torch(source, ae_multi.SimpleAutoencoder())


@here
def test_pickled_module_in_a_file_is_refused(tmp_path):
    import torch

    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 32))
    for name, content in (("module", module), ("checkpoint", {"epoch": 3, "model": module})):
        torch.save(content, tmp_path / f"{name}.pt")
        with pytest.raises(
            ae_multi.InputError, match=r"save a module's state_dict\(\) instead"
        ) as e:
            ae_multi.from_torch(tmp_path / f"{name}.pt", ae_multi.SimpleAutoencoder())
        assert "Sequential" in str(e.value)
        assert "\n" not in str(e.value)
