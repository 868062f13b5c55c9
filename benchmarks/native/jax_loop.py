"""JAX by hand: `lax.scan` over the epoch, data on the device, Adam written out."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

ACTIVATIONS = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "linear": lambda x: x}


def train(layers, x, batch_size, rate):
    """See `benchmarks.native`."""
    activations = [ACTIVATIONS[name] for *_, name in layers]
    weights = [(jnp.asarray(kernel), jnp.asarray(bias)) for kernel, bias, _ in layers]
    zeros = jax.tree.map(jnp.zeros_like, weights)
    state = [weights, zeros, zeros, jnp.zeros((), jnp.int32)]
    data = jnp.asarray(x)

    def loss_of(weights, batch):
        h = batch
        for (kernel, bias), activation in zip(weights, activations, strict=True):
            h = activation(h @ kernel + bias)
        return jnp.mean((h - batch) ** 2)

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

    @jax.jit
    def run(state, data, order):
        return jax.lax.scan(partial(step, data), state, order)

    def epoch(order):
        made, losses = run(tuple(state), data, order)
        state[:] = made
        return np.asarray(losses)

    return epoch
