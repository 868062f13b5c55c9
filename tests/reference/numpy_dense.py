"""A dense autoencoder in NumPy float64: outputs, loss and gradients."""

import numpy as np

ACTIVATIONS = {
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "linear": (lambda z: z, np.ones_like),
    "sigmoid": (lambda z: 1 / (1 + np.exp(-z)), lambda a: a * (1 - a)),
}


def forward(weights, activations, x):
    """Return the outputs of every layer, the input first: a list of float64 arrays (n, units).

    Args:
        weights: kernel, bias, kernel, bias, ... of the dense layers in order.
        activations: a key of `ACTIVATIONS` for each layer.
        x: inputs, shape (n, inputs).
    """
    layers = [np.asarray(x, np.float64)]
    for kernel, bias, name in zip(weights[::2], weights[1::2], activations, strict=True):
        z = layers[-1] @ np.float64(kernel) + np.float64(bias)
        layers.append(ACTIVATIONS[name][0](z))
    return layers


def loss_and_gradients(weights, activations, x):
    """Return the mean squared error of reconstructing ``x``, and its gradient for each weight."""
    layers = forward(weights, activations, x)
    error = layers[-1] - layers[0]
    upstream = 2 * error / error.size
    gradients = []
    for place in reversed(range(len(activations))):
        upstream = upstream * ACTIVATIONS[activations[place]][1](layers[place + 1])
        gradients = [layers[place].T @ upstream, upstream.sum(0), *gradients]
        upstream = upstream @ np.float64(weights[2 * place]).T
    return np.mean(error**2), gradients


def train_sgd(weights, activations, batches, learning_rate):
    """Return the weights after a step of gradient descent per batch, and the loss of each step."""
    weights = [np.float64(weight) for weight in weights]
    losses = []
    for batch in batches:
        loss, gradients = loss_and_gradients(weights, activations, batch)
        losses.append(loss)
        weights = [w - learning_rate * g for w, g in zip(weights, gradients, strict=True)]
    return weights, losses
