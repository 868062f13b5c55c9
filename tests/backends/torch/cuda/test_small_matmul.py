"""Small matrix products fused with bias, activation and its gradient (PyTorch)."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from tests.reference.recorded import operations, simplified_recording

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


@pytest.fixture(scope="module")
def multiplied(tmp_path_factory):
    """Outputs of the kernel for all cases, by name; without a GPU Triton interprets the kernel."""
    pytest.importorskip("triton", reason="Triton is available on Linux only")
    folder = tmp_path_factory.mktemp("multiplied")
    given = {
        f"{name}.{part}": array for name, case in CASES.items() for part, array in case.items()
    }
    np.savez(folder / "given.npz", **given)
    subprocess.run(
        [sys.executable, "-m", "tests.reference.multiplied", "given.npz", "made.npz"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    return dict(np.load(folder / "made.npz"))


def cases():
    """Inputs for each shape, memory layout and fused operation, by name."""
    random, made = np.random.default_rng(0), {}
    for shape in [(1, 1, 1), (16, 64, 16), (13, 9, 18), (33, 100, 20)]:
        rows, inner, columns = shape
        parts = {
            name: random.normal(size=size).astype(np.float32)
            for name, size in {
                "one": (rows, inner),
                "other": (inner, columns),
                "bias": (columns,),
                "kept": (rows, columns),
            }.items()
        }
        parts["relu"] = np.array(True)
        for turned in itertools.product([False, True], repeat=2):
            for after in ([], ["bias"], ["bias", "relu"], ["kept"]):
                names = ["one", "other", *after]
                name = f"{shape} {turned} {after}"
                made[name] = {part: parts[part] for part in names} | {"turned": turned}
    with_nan = {**parts, "turned": (False, False), "kept": abs(parts["kept"])}
    with_nan["one"] = np.where(np.arange(33)[:, None] == 2, np.nan, parts["one"])
    for last in ("relu", "kept"):
        made[f"nan {last}"] = {part: with_nan[part] for part in ("one", "other", last, "turned")}
    return made


CASES = cases()


def exact_product(one, other, bias=0.0, kept=None, relu=False):
    """Compute the product in float64 with NumPy."""
    made = one.astype(float) @ other + bias
    if kept is not None:
        made = np.where(kept > 0, made, 0)
    return np.maximum(made, 0) if relu else made


@pytest.mark.parametrize("name", CASES)
def test_kernel_equals_numpy(multiplied, name):
    case = {part: array for part, array in CASES[name].items() if part != "turned"}
    expected = exact_product(**case)
    assert np.isnan(expected).any() == name.startswith("nan")
    assert multiplied[name].dtype == np.float32
    np.testing.assert_allclose(multiplied[name], expected, rtol=2e-6, atol=2e-5)


def test_kernel_exists_only_with_cuda(torch):
    from ae_multi.backends.torch.cuda.small_matmul import kernel

    assert (kernel() is None) == (not torch.cuda.is_available())


def two_layers(x, one, bias, other, target):
    """Outputs of two layers and their gradients by autograd."""
    import torch

    weights = [weight.detach().requires_grad_(True) for weight in (one, bias, other)]
    with torch.enable_grad():
        hidden = torch.relu(torch.addmm(weights[1], x, weights[0]))
        back = torch.relu(hidden @ weights[2])
        loss = (back - target).square().sum()
        return (back.detach(), *torch.autograd.grad(loss, weights))


def fused(function, *inputs):
    from ae_multi.backends.torch.cuda.small_matmul import with_small_products

    made = with_small_products(simplified_recording(function, *inputs))
    return made, operations(made)


def test_layers_and_their_gradients_are_fused(torch):
    inputs = [torch.randn(shape) for shape in ((7, 5), (5, 4), (4,), (4, 5), (7, 5))]
    made, found = fused(two_layers, *inputs)
    assert found.count("ae_multi.small_product.default") == 5  # 2 forward, 1 back, 2 for kernels
    for name in ("aten.mm.default", "aten.addmm.default", "aten.relu.default"):
        assert name not in found
    # The gradient of the last activation is not followed by a product.
    assert found.count("aten.threshold_backward.default") == 1
    torch.testing.assert_close(made(*inputs), two_layers(*inputs))


def test_activation_of_a_product_with_another_use_is_not_fused(torch):
    def twice(x, weight):
        made = x @ weight
        return torch.relu(made), made

    inputs = [torch.randn(3, 4), torch.randn(4, 2)]
    made, found = fused(twice, *inputs)
    assert found == ["ae_multi.small_product.default", "aten.relu.default"]
    torch.testing.assert_close(made(*inputs), twice(*inputs))


def test_in_place_change_before_the_activation_prevents_fusion(torch):
    def changing(x, weight):
        made = x @ weight
        weight.zero_()
        return torch.relu(made)

    made, found = fused(changing, torch.randn(3, 4), torch.randn(4, 2))
    assert "aten.relu.default" in found
    inputs = [torch.randn(3, 4), torch.randn(4, 2)]
    expected = torch.relu(inputs[0] @ inputs[1])
    torch.testing.assert_close(made(*inputs), expected)


def layer(x, weight):
    return (x @ weight).relu()


@pytest.mark.parametrize(
    ("rows", "inner", "dtype"), [(4, 300, "float32"), (2**17, 64, "float32"), (4, 3, "float64")]
)
def test_large_or_float64_products_are_not_fused(torch, rows, inner, dtype):
    dtype = getattr(torch, dtype)
    _, found = fused(
        layer, torch.zeros(rows, inner, dtype=dtype), torch.zeros(inner, 8, dtype=dtype)
    )
    assert found == ["aten.mm.default", "aten.relu.default"]


def test_products_on_tensor_cores_are_not_fused(torch):
    torch.set_float32_matmul_precision("high")
    try:
        _, found = fused(layer, torch.zeros(4, 3), torch.zeros(3, 8))
    finally:
        torch.set_float32_matmul_precision("highest")
    assert found == ["aten.mm.default", "aten.relu.default"]


def test_nonzero_threshold_is_not_fused(torch):
    def thresholded(x, weight, kept):
        return torch.ops.aten.threshold_backward(x @ weight, kept, 0.5)

    inputs = [torch.randn(3, 4), torch.randn(4, 2), torch.rand(3, 2)]
    made, found = fused(thresholded, *inputs)
    assert "aten.threshold_backward.default" in found
    torch.testing.assert_close(made(*inputs), thresholded(*inputs))
