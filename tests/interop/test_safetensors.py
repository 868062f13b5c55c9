"""Weights in safetensors files of this package and of PyTorch."""

import json
import sys

import numpy as np
import pytest

import ae_multi
from tests.reference import numpy_dense
from tests.reference.movable_models import MODELS, images_for, outputs_of, package_model, randomized

backend = pytest.mark.backend


def header(path):
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])


@backend
@pytest.mark.parametrize("name", ["conv", "words", "square dense", "branches"])
def test_loaded_weights_equal_the_saved_ones(name, tmp_path):
    model = MODELS[name]()
    ae_multi.save_safetensors(model, tmp_path / "weights.safetensors")
    other = randomized(MODELS[name](), seed=5)
    assert ae_multi.load_safetensors(tmp_path / "weights.safetensors", other) is other
    for found, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


@backend
def test_file_has_the_keys_and_layout_of_pytorch(tmp_path, keras):
    model, path = package_model("simple"), tmp_path / "weights.safetensors"
    ae_multi.save_safetensors(model, path)
    from safetensors.numpy import load_file

    arrays = load_file(path)
    kernel, bias = model.get_weights()[:2]
    np.testing.assert_array_equal(arrays["encoder.1.weight"], kernel.T)
    np.testing.assert_array_equal(arrays["encoder.1.bias"], bias)
    assert set(arrays) == {
        f"{part}.{end}" for part in ("encoder.1", "decoder.0") for end in ("weight", "bias")
    }
    assert header(path)["__metadata__"] == {
        "format": "pt",
        "design": "SimpleAutoencoder",
        "order": "encoder.1.weight encoder.1.bias decoder.0.weight decoder.0.bias",
        "ae_multi": ae_multi.__version__,
        "keras": keras.__version__,
    }


@backend
@pytest.mark.parametrize("name", MODELS)
def test_pytorch_loads_the_file_without_this_package(name, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    model = MODELS[name]()
    ae_multi.save_safetensors(model, tmp_path / "weights.safetensors")
    x = images_for(model)
    module = ae_multi.to_torch(randomized(model, seed=7))
    module.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    ae_multi.load_safetensors(tmp_path / "weights.safetensors", model)
    with torch.no_grad():
        found = module(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, outputs_of(model, x), rtol=0, atol=1e-6)


@backend
def test_file_of_a_plain_module_loads(tmp_path):
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    kernel_1, kernel_2 = (rng.normal(0, 0.05, s).astype(np.float32) for s in ((32, 784), (784, 32)))
    bias_1, bias_2 = (rng.normal(0, 0.1, n).astype(np.float32) for n in (32, 784))
    save_file(
        {
            "encoder.0.weight": kernel_1,
            "encoder.0.bias": bias_1,
            "decoder.0.weight": kernel_2,
            "decoder.0.bias": bias_2,
        },
        tmp_path / "plain.safetensors",
    )
    model = ae_multi.load_safetensors(tmp_path / "plain.safetensors", package_model("simple"))
    x = images_for(model)
    weights = [kernel_1.T, bias_1, kernel_2.T, bias_2]
    expected = numpy_dense.forward(weights, ["relu", "sigmoid"], x.reshape(len(x), -1))[-1]
    found = outputs_of(model, x).reshape(len(x), -1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def truncate(content):
    return content[:-4]


def huge_header(content):
    return (1 << 62).to_bytes(8, "little") + content[8:]


def beyond_the_file(content):
    return content.replace(b'"shape":[784]', b'"shape":[999]')


DAMAGE = {
    "truncated": truncate,
    "huge header": huge_header,
    "shape": beyond_the_file,
    "empty": lambda content: b"",
    "other": lambda content: b"PK\x03\x04" + content,
    "no JSON": lambda content: content[:8] + b"x" + content[9:],
}


@backend
@pytest.mark.once
@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_files_are_refused(damage, tmp_path):
    model, path = package_model("simple"), tmp_path / "weights.safetensors"
    ae_multi.save_safetensors(model, path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    before = model.get_weights()
    message = "states a length of 4,611,686" if damage == "huge header" else "safetensors file"
    with pytest.raises(ae_multi.InputError, match=message):
        ae_multi.load_safetensors(path, model)
    for found, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@backend
def test_error_for_mismatched_weights_states_their_name(tmp_path):
    path = tmp_path / "weights.safetensors"
    ae_multi.save_safetensors(package_model("simple"), path)
    with pytest.raises(ae_multi.InputError, match=r"of a SimpleAutoencoder\) to hold 20 weights"):
        ae_multi.load_safetensors(path, ae_multi.DeepAutoencoder())
    with pytest.raises(
        ae_multi.InputError, match=r"'encoder.1.weight'.*shape \(8, 784\). Received: \(32, 784\)"
    ):
        ae_multi.load_safetensors(path, ae_multi.SimpleAutoencoder(8))
    with pytest.raises(ae_multi.InputError, match="which is not a file"):
        ae_multi.load_safetensors(tmp_path, package_model("simple"))


@backend
def test_missing_safetensors_is_reported(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (ae_multi.save_safetensors, lambda m, p: ae_multi.load_safetensors(p, m)):
        with pytest.raises(ae_multi.BackendError, match="pip install safetensors"):
            call(package_model("simple"), tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


TRAIN_ON_JAX = """
import sys, numpy as np, ae_multi
x = np.load("x.npy")
model = ae_multi.DeepAutoencoder((16, 8), 4, (28, 28, 1), seed=6)
model.compile()
model.fit(x, epochs=2, verbose=0)
np.save("jax.npy", model.reconstruct(x))
ae_multi.save_safetensors(model, "jax.safetensors")
"""

# Plain PyTorch without this package.
TRAIN_IN_PYTORCH = """
import numpy as np, torch
from safetensors.torch import load_file, save_file
from torch import nn
sizes = [784, 16, 8, 4, 8, 16, 784]
ends = [nn.ReLU(), nn.ReLU(), nn.Identity(), nn.ReLU(), nn.ReLU(), nn.Sigmoid()]
layers = [[nn.Linear(a, b), end] for a, b, end in zip(sizes, sizes[1:], ends)]
class Network(nn.Module):
    def __init__(self):
        super().__init__()
        (a, f, b, g, c, _), (d, h, e, i, j, k) = sum(layers[:3], []), sum(layers[3:], [])
        self.encoder = nn.Sequential(nn.Flatten(), a, f, b, g, c)
        self.decoder = nn.Sequential(d, h, e, i, j, k)
    def forward(self, x):
        return self.decoder(self.encoder(x)).reshape(x.shape)
module = Network()
module.load_state_dict(load_file("jax.safetensors"))
x = torch.from_numpy(np.load("x.npy"))
with torch.no_grad():
    assert abs(module(x).numpy() - np.load("jax.npy")).max() < 1e-6
optimizer = torch.optim.Adam(module.parameters(), 1e-3)
for _ in range(20):
    optimizer.zero_grad()
    nn.functional.mse_loss(module(x), x).backward()
    optimizer.step()
with torch.no_grad():
    np.save("torch.npy", module(x).numpy())
save_file(module.state_dict(), "torch.safetensors")
"""

LOAD_ON_JAX = """
import numpy as np, ae_multi
x = np.load("x.npy")
model = ae_multi.DeepAutoencoder((16, 8), 4, (28, 28, 1))
ae_multi.load_safetensors("torch.safetensors", model)
found, expected = model.reconstruct(x), np.load("torch.npy")
assert abs(found - expected).max() < 1e-6
assert ((expected - x) ** 2).mean() < 0.99 * ((np.load("jax.npy") - x) ** 2).mean()
"""


@pytest.mark.across
def test_weights_of_jax_are_trained_in_pytorch_and_loaded_on_jax(run_on, tmp_path, digits):
    np.save(tmp_path / "x.npy", digits.x_train[:150])
    run_on("jax", TRAIN_ON_JAX)
    run_on("torch", TRAIN_IN_PYTORCH)
    run_on("jax", LOAD_ON_JAX)
