"""Convolutions and their gradients rewritten as matrix products (JAX)."""

import numpy as np
import pytest

pytestmark = pytest.mark.backend

LAST, FIRST = ("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW")
# spatial shape, kernel, stride, padding, input dilation, kernel dilation, layout
GEOMETRIES = {
    "same": ((5, 4), (3, 3), (1, 1), [(1, 1), (1, 1)], (1, 1), (1, 1), LAST),
    "strided": ((7, 6), (3, 3), (2, 2), [(1, 1), (0, 1)], (1, 1), (1, 1), LAST),
    "channels first": ((7, 6), (3, 2), (2, 3), [(0, 2), (1, 1)], (1, 1), (1, 1), FIRST),
    "dilated kernel": ((8, 7), (2, 3), (1, 2), [(0, 0), (2, 2)], (1, 1), (2, 2), LAST),
    "transposed": ((4, 3), (3, 3), (1, 1), [(1, 2), (1, 2)], (2, 2), (1, 1), LAST),
    "transposed, with gaps": ((4, 3), (2, 1), (1, 1), [(2, 1), (0, 3)], (3, 2), (1, 1), FIRST),
    "transposed, dilated kernel": (
        (5, 4), (3, 2), (1, 1), [(3, 0), (-1, 1)], (2, 3), (2, 1), LAST,
    ),
    "negative padding": ((6, 6), (3, 1), (1, 2), [(-1, 2), (1, -1)], (1, 1), (1, 1), FIRST),
    "kernel larger than the output": (
        (5, 6), (4, 5), (1, 2), [(0, 0), (0, 0)], (1, 1), (1, 1), LAST,
    ),
    "volume": (
        (4, 3, 5), (2, 3, 3), (2, 1, 2), [(0, 1), (1, 1), (1, 1)], (1, 1, 1), (1, 1, 1),
        ("NDHWC", "DHWIO", "NDHWC"),
    ),
}  # fmt: skip


@pytest.fixture(autouse=True)
def jax(backend):
    if backend != "jax":
        pytest.skip("this rewrite exists for JAX only")
    import jax

    return jax


def as_products(function):
    from ae_multi.backends.jax.optimizations.convolutions import as_products

    return as_products(function)


def convolution(jax, geometry, **others):
    """Return a function of (input, kernel) that computes the convolution."""
    _, _, stride, padding, dilation, spread, layout = geometry

    def function(x, w):
        return jax.lax.conv_general_dilated(
            x, w, stride, padding, dilation, spread, layout, **others
        )

    return function


def with_gradients(jax, function):
    """Return a function of (input, kernel, output gradient): output, and gradients of both."""

    def computed(x, w, g):
        y, back = jax.vjp(function, x, w)
        return (y, *back(g))

    return computed


def moved(array, layout, order):
    return np.transpose(array, [layout.index(letter) for letter in order])


def by_hand(geometry, x, w, g):
    """Compute output and gradients in float64, element by element, with channels last."""
    _, kernel, stride, padding, dilation, spread, _ = geometry
    y, dx, dw = np.zeros(g.shape), np.zeros(x.shape), np.zeros(w.shape)
    for p in np.ndindex(*g.shape[1:-1]):
        for k in np.ndindex(*kernel):
            at = np.multiply(stride, p) + np.multiply(spread, k) - [low for low, _ in padding]
            place, rest = np.divmod(at, dilation)
            if rest.any() or (place < 0).any() or (place >= x.shape[1:-1]).any():
                continue
            one, out = (slice(None), *place), (slice(None), *p)
            y[out] += x[one] @ w[k]
            dx[one] += g[out] @ w[k].T
            dw[k] += x[one].T @ g[out]
    return y, dx, dw


@pytest.mark.parametrize("name", GEOMETRIES)
def test_matmuls_equal_the_convolution_and_its_gradients(jax, name):
    geometry = GEOMETRIES[name]
    places, kernel, *_, layout = geometry
    axes = layout[0].replace("N", "").replace("C", "")
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(3, *places, 2)), rng.normal(size=(*kernel, 2, 4))
    given = [
        moved(x, f"N{axes}C", layout[0]).astype(np.float32),
        moved(w, f"{axes}IO", layout[1]).astype(np.float32),
    ]
    function = convolution(jax, geometry)
    shape = jax.eval_shape(function, *given).shape
    g = moved(rng.normal(size=shape).astype(np.float32), layout[2], f"N{axes}C")
    given.append(moved(g, f"N{axes}C", layout[2]))

    found = jax.jit(as_products(with_gradients(jax, function)))(*given)
    layouts = (layout[2], layout[0], layout[1])
    orders = (f"N{axes}C", f"N{axes}C", f"{axes}IO")
    for array, expected, at, order in zip(
        found, by_hand(geometry, x, w, g), layouts, orders, strict=True
    ):
        np.testing.assert_allclose(moved(array, at, order), expected, atol=3e-6)


def convolutions(jax, function, *given):
    """Count the convolutions in the trace of a function."""
    return str(jax.make_jaxpr(function)(*given)).count("conv_general_dilated[")


def test_kernel_gradients_are_matmuls(jax):
    left = {}
    for name in ("strided", "transposed"):
        geometry = GEOMETRIES[name]
        function = convolution(jax, geometry)
        x, w = np.ones((3, *geometry[0], 2), np.float32), np.ones((3, 3, 2, 4), np.float32)
        g = np.ones(jax.eval_shape(function, x, w).shape, np.float32)
        whole = with_gradients(jax, function)
        assert convolutions(jax, whole, x, w, g) == 3
        left[name] = convolutions(jax, as_products(whole), x, w, g)
    assert left == {"strided": 0, "transposed": 0}


def test_convolutions_that_would_not_be_faster_are_kept(jax):
    x, w = np.ones((2, 7, 6, 2), np.float32), np.ones((3, 3, 1, 4), np.float32)
    grouped = convolution(jax, GEOMETRIES["strided"], feature_group_count=2)
    assert convolutions(jax, as_products(grouped), x, w) == 1
    w = np.ones((3, 3, 2, 4), np.float32)
    whole = with_gradients(jax, convolution(jax, GEOMETRIES["same"]))
    assert convolutions(jax, as_products(whole), x, w, np.ones((2, 7, 6, 4), np.float32)) == 3
    plain = convolution(jax, GEOMETRIES["strided"])
    assert convolutions(jax, as_products(plain), x, w) == 0
    assert convolutions(jax, as_products(plain), x.astype(int), w.astype(int)) == 1
    large = jax.ShapeDtypeStruct((64, 256, 256, 2), np.float32)
    assert convolutions(jax, as_products(plain), large, w) == 1
    transposed = convolution(jax, GEOMETRIES["transposed"])
    assert convolutions(jax, as_products(transposed), large, w) == 1


def test_rest_of_the_trace_is_unchanged(jax):
    def function(x):
        x = jax.nn.relu(jax.jit(lambda x: x * 2)(x))  # nested jit
        x = jax.lax.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, x)
        x, kept = jax.lax.scan(lambda x, k: (x * k, x.sum()), x, np.arange(3.0, dtype=np.float32))
        key = jax.random.key(0)
        return {"a": x, "b": (kept, jax.nn.gelu(kept), jax.random.normal(key, (2,)))}, 3.0

    x = np.linspace(-1, 1, 6, dtype=np.float32)
    expected, found = function(x), as_products(function)(x)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_evaluation_and_inference_use_matmuls_on_a_cpu(jax, keras):
    import ae_multi
    from ae_multi.backends import current

    x = np.random.default_rng(0).random((8, 8, 8, 1), np.float32)
    model = ae_multi.ConvAutoencoder((2, 3), 4, (8, 8, 1))
    model.compile("sgd")
    model._symbolic_build(data_batch=(x, x))
    device_data = current().to_device((x, x, None))
    for training in (True, False):
        steps = current().Steps(model, device_data, "step", training, 8, 1)
        text = str(
            steps._full.jitted.trace(steps.snapshot(), device_data.arrays, np.arange(8)).jaxpr
        )
        assert "dot_general" in text
        assert "conv_general_dilated[" not in text
    model.reconstruct(x)
    ((program, *_),) = [
        made for key, made in vars(model)["_ae_multi_programs"].made.items() if "forward" in key
    ]
    weights = [v.value for v in model.trainable_variables]
    assert "conv_general_dilated[" not in str(
        program.jitted.trace(weights, [], x.reshape(8, -1)).jaxpr
    )
