"""Hand-written JAX loop: data on the device, explicit Adam.

scan   `lax.scan` over the epoch
eigen  the scan, with matrix products by Eigen instead of YNNPACK
step   one compiled step after another; inside a scan a CPU runs convolutions on one thread
graph  the scan as one CUDA graph, in which independent operations run in parallel
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

WAYS = ("scan", "eigen", "step") if jax.devices()[0].platform == "cpu" else ("scan", "graph")
_EIGEN = {"xla_cpu_experimental_ynn_fusion_type": ""}
_GRAPH = {
    "xla_gpu_enable_command_buffer": (
        "FUSION,CUBLAS,CUBLASLT,CUSTOM_CALL,CUDNN,DYNAMIC_SLICE_FUSION,WHILE,CONDITIONAL"
    ),
    "xla_gpu_command_buffer_scheduling_mode": "CONCURRENT",
}
ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "linear": lambda x: x}
_IMAGES = ("NHWC", "HWIO", "NHWC")


def train(layers, x, rate, way):
    """See `benchmarks.native`."""
    weights = [
        None if layer.kernel is None else (jnp.asarray(layer.kernel), jnp.asarray(layer.bias))
        for layer in layers
    ]
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [weights, zeros, zeros, jnp.zeros((), jnp.int32)]
    data = jnp.asarray(x.reshape(len(x), -1))

    def loss_of(weights, batch):
        h = batch.reshape(-1, *x.shape[1:])
        for pair, layer in zip(weights, layers, strict=True):
            h = _layer(layer, pair, h)
        return jnp.mean((h.reshape(batch.shape) - batch) ** 2)

    def step(data, carried, row):
        weights, first, second, count = carried
        loss, gradient = jax.value_and_grad(loss_of)(weights, data[row])
        count = count + 1
        time = count.astype(jnp.float32)
        alpha = rate * jnp.sqrt(1 - 0.999**time) / (1 - 0.9**time)
        first = jax.tree.map(lambda m, g: m + (g - m) * 0.1, first, gradient)
        second = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, second, gradient)
        weights = jax.tree.map(
            lambda w, m, v: w - alpha * m / (jnp.sqrt(v) + 1e-7), weights, first, second
        )
        return (weights, first, second, count), loss

    @partial(jax.jit, compiler_options={"graph": _GRAPH, "eigen": _EIGEN}.get(way))
    def scan(state, data, order):
        return jax.lax.scan(partial(step, data), state, order)

    one = jax.jit(lambda state, data, row: step(data, state, row))

    def epoch(order):
        new_state = tuple(state)
        if way != "step":
            new_state, losses = scan(new_state, data, order)
        else:
            losses = []
            for row in order:
                new_state, loss = one(new_state, data, row)
                losses.append(loss)
        state[:] = new_state
        return np.asarray(losses)

    return epoch


def _layer(layer, pair, h):
    if layer.kind == "reshape":
        return h.reshape(-1, *layer.output_shape)
    kernel, bias = pair
    if layer.kind == "dense":
        h = h @ kernel
    elif layer.kind == "conv":
        h = jax.lax.conv_general_dilated(h, kernel, (2, 2), "SAME", dimension_numbers=_IMAGES)
    else:
        h = jax.lax.conv_transpose(
            h, kernel, (2, 2), "SAME", dimension_numbers=_IMAGES, transpose_kernel=True
        )
    return ACTIVATIONS[layer.activation](h + bias)
