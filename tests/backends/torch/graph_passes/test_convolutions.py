"""Recorded convolutions run without Keras's layout changes, with equal results (PyTorch)."""

from functools import partial

import numpy as np
import pytest

import ae_multi
from tests.reference.recorded import on_fresh_inputs, recorded

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


@pytest.fixture(autouse=True)
def seeded(torch):
    torch.manual_seed(0)


def channels_first(x):
    """Move the channels to the second axis and copy, as Keras does before a convolution."""
    return x.permute(0, 3, 1, 2).contiguous()


def test_bias_is_fused_into_the_convolution(torch):
    def function(x, kernel, bias):
        made = torch.conv2d(x.permute(0, 3, 1, 2), kernel, stride=2).permute(0, 2, 3, 1)
        return made + bias.view(1, 1, 1, 5)

    inputs = torch.rand(2, 9, 9, 3), torch.rand(5, 3, 3, 3), torch.rand(5)
    expected, found, names = recorded(function, *inputs)
    torch.testing.assert_close(found, expected)
    assert names == ["permute", "convolution", "permute"]


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((1, 1, 5, 1), (0, 2, 3, 1)), ((1, 5, 1, 1), (0, 2, 3, 1)), ((1, 1, 1, 5), (0, 1, 2, 3))],
)
def test_addition_along_another_axis_is_not_fused(torch, shape, axes):
    def function(x, kernel, bias):
        return torch.conv2d(x, kernel).permute(axes) + bias.view(shape)

    inputs = torch.rand(2, 3, 7, 7), torch.rand(5, 3, 3, 3), torch.rand(5)
    expected, found, names = recorded(function, *inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert "add.Tensor" in names


def test_input_changed_before_the_bias_is_added_gives_equal_results(torch):
    def function(x, kernel, bias):
        made = torch.conv2d(x, kernel)
        x.add_(1)
        return made + bias.view(1, 5, 1, 1)

    found, expected = on_fresh_inputs(function, (2, 3, 7, 7), (5, 3, 3, 3), (5,))
    torch.testing.assert_close(found, expected)


def two_copies(torch, x, kernel):
    x = channels_first(x).contiguous(memory_format=torch.channels_last)
    return torch.conv_transpose2d(x.contiguous(), kernel, stride=2)


def viewed(torch, x, kernel):
    """View the output of a convolution, whose memory layout is not contiguous."""
    return torch.conv_transpose2d(channels_first(x), kernel).view(2, -1)


@pytest.mark.parametrize("function", [two_copies, viewed])
def test_layout_copies_are_removed(torch, function):
    inputs = torch.rand(2, 5, 5, 3), torch.rand(3, 4, 3, 3)
    expected, found, names = recorded(partial(function, torch), *inputs)
    torch.testing.assert_close(found, expected)
    assert "clone" not in names


def test_copy_of_a_changed_tensor_is_kept(torch):
    def function(x, kernel):
        images = x.permute(0, 3, 1, 2)
        copied = images.clone(memory_format=torch.channels_last)
        x.add_(1)
        return torch.conv2d(copied, kernel), torch.conv2d(images, kernel)

    found, expected = on_fresh_inputs(function, (2, 5, 5, 3), (4, 3, 3, 3))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [2, 3, 4])
def test_one_channel_transposed_convolution_is_a_matmul(torch, size, stride, padding):
    extra = {"stride": stride, "padding": padding, "output_padding": max(0, stride - 2)}

    def function(x, kernel):
        return torch.conv_transpose2d(x, kernel, **extra)

    inputs = torch.rand(2, 6, 5, 4), torch.rand(6, 1, size, size)
    expected, found, names = recorded(function, *inputs)
    torch.testing.assert_close(found, expected)
    assert "convolution" not in names
    _, _, names = recorded(function, inputs[0], torch.rand(6, 2, size, size))
    assert "convolution" in names


def test_patches_beyond_the_memory_limit_are_not_used(torch, monkeypatch):
    from ae_multi.backends.torch.graph_passes import convolutions

    def function(x, wide, narrow):
        wide = wide.detach().requires_grad_()
        made = torch.conv2d(x, wide)
        return torch.autograd.grad(made.sum(), wide)[0], torch.conv_transpose2d(made, narrow)

    inputs = torch.rand(2, 1, 6, 5), torch.rand(4, 1, 3, 3), torch.rand(4, 1, 3, 3)
    for max_bytes, left in ((2**26, 0), (4 * 2 * 4 * 3 * 9, 0), (4 * 2 * 4 * 3 * 9 - 1, 2)):
        monkeypatch.setattr(convolutions, "_MAX_PATCH_BYTES", max_bytes)
        expected, found, names = recorded(function, *inputs)
        torch.testing.assert_close(found, expected)
        assert sum("convolution" in name for name in names) == 1 + left


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1])
def test_one_channel_kernel_gradient_is_a_matmul(torch, stride, padding):
    def function(x, kernel):
        kernel = kernel.detach().requires_grad_()
        made = torch.conv2d(x, kernel, stride=stride, padding=padding, dilation=(1, 2))
        return torch.autograd.grad((made**2).sum(), kernel)[0]

    inputs = torch.rand(2, 1, 8, 9), torch.rand(4, 1, 2, 3)
    expected, found, names = recorded(function, *inputs)
    torch.testing.assert_close(found, expected)
    assert "convolution_backward" not in names


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("ConvAutoencoder", (12, 12, 1)),
        ("ConvAutoencoder", (12, 12, 3)),
        ("ConvAutoencoder", (11, 13, 1)),
        ("RestorationNetwork", (12, 12, 1)),
    ],
    ids=["gray", "color", "odd", "unet"],
)
def test_graph_plan_trains_convolutions_as_the_eager_plan(torch, kind, shape):
    x = np.random.default_rng(0).random((32, *shape), np.float32)

    def trained(plan):
        model = getattr(ae_multi, kind)((8, 12), input_shape=shape, seed=0)
        model.compile("adam")
        history = model.fit(x, batch_size=16, epochs=4, shuffle=False, verbose=0, plan=plan)
        return history.history["loss"], model.get_weights(), model

    losses, weights, model = trained("eager")
    found = trained("graph")
    np.testing.assert_allclose(found[0], losses, rtol=2e-6)
    for one, other in zip(found[1], weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=5e-6)
    # A forward pass is recorded for eight batches, and not for one.
    outputs = [ae_multi.predict(model, x, batch_size=size) for size in (4, 32)]
    np.testing.assert_allclose(*outputs, rtol=0, atol=2e-6)
