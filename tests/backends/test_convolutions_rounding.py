"""Rewritten convolutions round like sums of their terms, for values of any magnitude."""

import numpy as np
import pytest

from tests.reference.rounding import UNIT

pytestmark = pytest.mark.backend

SIZES = {
    "offset": lambda rng, shape: 1e4 + rng.random(shape),
    "tiny": lambda rng, shape: rng.normal(size=shape) * 1e-12,
    "range": lambda rng, shape: rng.normal(size=shape) * 10.0 ** rng.uniform(-9, 9, shape),
}


def given(size):
    """One-channel images, a kernel and output gradients of a convolution with stride 2."""
    rng = np.random.default_rng(0)
    shapes = (2, 1, 9, 9), (5, 1, 3, 3), (2, 5, 4, 4)
    return [SIZES[size](rng, shape).astype(np.float32) for shape in shapes]


def by_torch(torch):
    """Function that returns a convolution, its kernel gradient and a transposed convolution."""

    def function(x, kernel, gradient):
        kernel = kernel.detach().requires_grad_()
        with torch.enable_grad():
            made = torch.conv2d(x, kernel, stride=2)
            (found,) = torch.autograd.grad(made, kernel, gradient)
        return made.detach(), found, torch.conv_transpose2d(gradient, kernel.detach(), stride=2)

    return function


def check(found, exact, absolute):
    """Compare with float64; a sum has up to 3 · 3 · 5 = 45 terms."""
    for one, other, terms in zip(found, exact, absolute, strict=True):
        assert (abs(np.asarray(one) - np.asarray(other)) <= 48 * UNIT * np.asarray(terms)).all()


@pytest.mark.parametrize("size", SIZES)
def test_rewritten_convolutions_round_like_sums_on_torch(torch, size):
    from tests.reference.recorded import recorded

    function, inputs = by_torch(torch), [torch.from_numpy(array) for array in given(size)]
    _, found, names = recorded(function, *inputs)
    assert {"col2im", "im2col"} <= set(names)
    doubles = [tensor.double() for tensor in inputs]
    check(found, function(*doubles), function(*(tensor.abs() for tensor in doubles)))


@pytest.mark.parametrize("size", SIZES)
def test_rewritten_convolutions_round_like_sums_on_jax(backend, size):
    if backend != "jax":
        pytest.skip("this rewrite exists for JAX only")
    import jax

    from ae_multi.backends.jax.optimizations.convolutions import as_products

    def function(x, kernel, gradient):
        def convolved(x, kernel):
            return jax.lax.conv_general_dilated(x, kernel, (2, 2), "VALID")

        made, back = jax.vjp(convolved, x, kernel)
        image, found = back(gradient)
        return made, found, image

    def by_numpy(x, kernel, gradient):
        made, found, image = np.zeros((2, 5, 4, 4)), np.zeros((5, 1, 3, 3)), np.zeros((2, 1, 9, 9))
        for i in range(3):
            for j in range(3):
                part = x[:, 0, i : i + 7 : 2, j : j + 7 : 2]
                made += part[:, None] * kernel[:, 0, i, j][:, None, None]
                found[:, 0, i, j] = np.einsum("nhw,nchw->c", part, gradient)
                image[:, 0, i : i + 7 : 2, j : j + 7 : 2] += np.einsum(
                    "c,nchw->nhw", kernel[:, 0, i, j], gradient
                )
        return made, found, image

    inputs = given(size)
    found = jax.jit(as_products(function))(*inputs)
    doubles = [array.astype(np.float64) for array in inputs]
    check(found, by_numpy(*doubles), by_numpy(*(abs(array) for array in doubles)))
