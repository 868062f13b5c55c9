"""Redundant operations are removed from recorded graphs (PyTorch)."""

import pytest

from tests.reference.recorded import on_fresh_inputs, recorded, simplified_recording

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("torch")]


def test_operations_without_effect_are_removed(torch):
    def function(x):
        y = torch.pow(x + 1, 1.0) * 1
        return (y / 1).mean(-1).expand(3, 4).sum()

    expected, found, names = recorded(function, torch.rand(3, 4, 1))
    assert found == expected
    assert names == ["add.Tensor", "squeeze.dims", "sum"]


def test_mean_over_several_values_is_kept(torch):
    expected, found, names = recorded(lambda x: (x + 1).mean(-1), torch.rand(3, 2))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert "mean.dim" in names


def test_bias_is_fused_into_the_matmul(torch):
    inputs = torch.rand(5, 3), torch.rand(3, 4), torch.rand(4)
    expected, found, names = recorded(lambda x, w, b: x @ w + b, *inputs)
    torch.testing.assert_close(found, expected)
    assert names == ["addmm"]


def test_input_changed_before_the_bias_is_added_gives_equal_results(torch):
    def function(x, w, b):
        made = x @ w
        x.add_(1)
        return made + b

    found, expected = on_fresh_inputs(function, (5, 3), (3, 4), (4,))
    torch.testing.assert_close(found, expected)


def test_addition_of_another_shape_is_not_fused(torch):
    inputs = torch.rand(5, 3), torch.rand(3, 4), torch.rand(5, 1)
    expected, found, names = recorded(lambda x, w, b: x @ w + b, *inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert names == ["mm", "add.Tensor"]


def test_scalar_factors_are_combined(torch):
    def function(x, s):
        return -(x * 2.0 * s.expand(5, 4)) / 4.0

    expected, found, names = recorded(function, torch.rand(5, 4), torch.rand(()))
    torch.testing.assert_close(found, expected)
    assert names == ["mul.Tensor", "mul.Tensor"]  # once for the scalars, once for the array


@pytest.mark.parametrize(
    ("x", "function"),
    [
        ([1e30, -3e28], lambda x: x * 1e-20 * 1e-25),
        ([1e-38, 3e-37], lambda x: x * 1e25 * 1e20),
        ([1e-38, 3e-37], lambda x: -(x / 1e-39) * 0.5),
        ([1e30, -3e28], lambda x: x * (x[0] * 1e-38 * 1e-12) * (x[0] * 1e-38 * 1e-17)),
    ],
)
def test_factors_whose_product_overflows_are_kept(torch, x, function):
    """The product of the factors alone would be zero or infinite."""
    expected, found, _ = recorded(function, torch.tensor(x))
    assert expected.isfinite().all()
    assert expected.abs().min() > 0
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_intermediate_result_that_is_used_is_kept(torch):
    def function(x):
        y = x * 2.0
        return -(y * 3.0), y.sum()

    expected, found, _ = recorded(function, torch.rand(5, 4))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_constants_are_computed_once(torch):
    def function(x):
        return x * torch.arange(4.0).square().sum()

    expected, found, names = recorded(function, torch.rand(4))
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert names == ["mul.Tensor"]


def test_tensor_changed_in_place_is_not_a_constant(torch):
    def function(x):
        sums = torch.zeros(3)
        sums.view(3).add_(x)
        return sums * 1

    made = simplified_recording(function, torch.ones(3))
    for _ in range(2):  # a constant would have changed in the first run
        assert made(torch.ones(3)).tolist() == [1, 1, 1]


def test_value_before_an_in_place_change_is_kept(torch):
    def function(w):
        before = w * 1
        w.add_(1)
        return before, w

    made = simplified_recording(function, torch.zeros(2))
    before, after = made(torch.zeros(2))
    assert before.tolist() == [0, 0]
    assert after.tolist() == [1, 1]
