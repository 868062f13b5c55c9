"""Each installed library trains the requested network."""

import importlib
import itertools

import numpy as np
import pytest

from benchmarks import peers

SIZES = [24, 12, 6, 3, 6, 12, 24]
ACTIVATIONS = ["relu", "relu", "linear", "relu", "relu", "sigmoid"]
KERNELS = list(itertools.pairwise(SIZES))
BATCH, STEPS = 50, 4


@pytest.fixture
def x():
    return np.random.default_rng(0).random((BATCH * STEPS, SIZES[0]), np.float32)


@pytest.fixture
def steps(monkeypatch):
    """Return a list to which each step adds its optimizer; its length replaces the time."""
    optimizers = []
    monkeypatch.setattr(peers, "perf_counter", lambda: len(optimizers))
    return optimizers


@pytest.mark.parametrize("name", ["lightning", "pyod", "pythae", "skorch"])
def test_peers_on_torch_train_the_network(name, x, steps, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip(name)
    import torch

    torch.manual_seed(0)

    class Adam(torch.optim.Adam):
        def __init__(self, parameters, *args, **kwargs):
            super().__init__(parameters, *args, **kwargs)
            self.before = [weight.detach().clone() for weight in self.weights()]

        def weights(self):
            return [weight for group in self.param_groups for weight in group["params"]]

        def step(self, *args, **kwargs):
            result = super().step(*args, **kwargs)
            steps.append(self)
            return result

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    module = importlib.import_module(f"benchmarks.peers.{name}_fit")
    assert module.epoch_seconds(SIZES, ACTIVATIONS, x, BATCH, 1e-2, epochs=3) == STEPS
    last = steps[-1]
    weights = last.weights()
    # Kernels of PyTorch are (out, in); Pythae lists its decoder before its encoder.
    shapes = [shape for one, units in KERNELS for shape in ((units, one), (units,))]
    assert sorted(tuple(weight.shape) for weight in weights) == sorted(shapes)
    assert not any(torch.equal(*pair) for pair in zip(weights, last.before, strict=True))
    assert last.defaults["lr"] == 1e-2
    assert last.defaults["weight_decay"] == 0


def test_scikit_learn_trains_the_network(x, steps, monkeypatch):
    from sklearn.neural_network import MLPRegressor

    from benchmarks.peers.scikit_learn_fit import epoch_seconds

    fit = MLPRegressor.fit

    def recorded(self, x, y):
        fit(self, x, y)
        steps.extend([self] * (self.t_ // BATCH))

    monkeypatch.setattr(MLPRegressor, "fit", recorded)
    assert epoch_seconds(SIZES, ACTIVATIONS, x, BATCH, 1e-2, epochs=3) == STEPS
    last = steps[-1]
    assert [kernel.shape for kernel in last.coefs_] == KERNELS
    assert {kernel.dtype for kernel in last.coefs_} == {np.dtype(np.float32)}
    assert last.loss_curve_[-1] < last.loss_curve_[0]


def test_torch_layers_have_the_given_sizes_and_activations():
    pytest.importorskip("torch")
    layers = peers.torch_layers(SIZES, ACTIVATIONS)
    kinds = "Linear ReLU Linear ReLU Linear Linear ReLU Linear ReLU Linear Sigmoid"
    assert [type(layer).__name__ for layer in layers] == kinds.split()


def test_pyod_refuses_asymmetric_sizes(x):
    pytest.importorskip("torch")
    pytest.importorskip("pyod")
    from benchmarks.peers.pyod_fit import epoch_seconds

    with pytest.raises(ValueError, match=r"\[24, 3, 12, 24\]"):
        epoch_seconds([24, 3, 12, 24], ["linear", "relu", "sigmoid"], x, BATCH, 1e-2, epochs=1)


def test_only_installed_libraries_are_available(monkeypatch):
    found = peers.available()
    assert found == sorted(found)
    assert "scikit_learn_fit" in found
    monkeypatch.setattr("benchmarks.peers.scikit_learn_fit.PACKAGE", "no-such-library")
    assert "scikit_learn_fit" not in peers.available()
