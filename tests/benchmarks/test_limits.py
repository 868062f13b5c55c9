"""Floating-point operations and bytes of a training step."""

import itertools

import pytest

import ae_multi

pytestmark = [
    pytest.mark.backend,
    # PyTorch emits this warning when its compiler is first imported.
    pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning"),
]


def test_flops_and_bytes_of_dense_layers_equal_their_formulas(monkeypatch):
    from benchmarks import limits

    monkeypatch.setattr(limits, "_product_rate", lambda: 1e9)
    monkeypatch.setattr(limits, "_bandwidth", lambda size: 1e9)
    sizes = [784, 128, 64, 36, 18, 9, 18, 36, 64, 128, 784]
    products = [2 * a * b for a, b in itertools.pairwise(sizes)]
    found = limits.limits(ae_multi.DeepAutoencoder(), 128)
    assert found["reconstruct"]["flop"] == sum(products)
    assert found["encode"]["flop"] == sum(products[:5])
    # Forward, weight gradients, and input gradients of all but the first layer.
    assert found["training"]["flop"] == 3 * sum(products) - products[0]
    assert found["reconstruct"]["bytes"] == 4 * sum(sizes)
    slower = max(sum(products), 4 * sum(sizes))
    assert found["reconstruct"]["samples_per_second"] == pytest.approx(1e9 / slower)


def test_flops_of_convolutions_equal_their_formulas(monkeypatch):
    from benchmarks import limits

    monkeypatch.setattr(limits, "_product_rate", lambda: 1e9)
    monkeypatch.setattr(limits, "_bandwidth", lambda size: 1e9)
    found = limits.limits(ae_multi.ConvAutoencoder((4, 6), 5, (8, 8, 2)), 16)
    down = 2 * 9 * (2 * 4 * 16 + 4 * 6 * 4)
    # A transposed convolution has the operations of the convolution that it mirrors.
    assert found["encode"]["flop"] == down + 2 * 24 * 5
    assert found["reconstruct"]["flop"] == 2 * down + 2 * 2 * 24 * 5
