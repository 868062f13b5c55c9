"""A dense autoencoder in native code of each framework, and the gradients of Keras.

Each native function takes float32 weights (kernel, bias, kernel, bias, ...), the name of an
activation for each layer, and inputs of shape (n, inputs). All functions return (reconstructions,
loss, gradients) as NumPy arrays. The loss is the mean squared error of the reconstruction.
"""

import numpy as np


def torch_module(weights, activations, x):
    """`torch.nn.Sequential` of `Linear` layers, whose kernels are stored transposed."""
    import torch
    from torch import nn

    kinds = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "linear": nn.Identity}
    layers = []
    for kernel, bias, name in zip(weights[::2], weights[1::2], activations, strict=True):
        linear = nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(kernel.T.copy()))
            linear.bias.copy_(torch.from_numpy(bias))
        layers += [linear, kinds[name]()]
    module = nn.Sequential(*layers)
    inputs = torch.from_numpy(x)
    restored = module(inputs)
    loss = nn.functional.mse_loss(restored, inputs)
    loss.backward()
    gradients = [p.grad.numpy() for p in module.parameters()]
    return restored.detach().numpy(), loss.item(), [g.T for g in gradients]


def tensorflow_operations(weights, activations, x):
    """Matrix products and activations of TensorFlow, with gradients by `GradientTape`."""
    import tensorflow as tf

    kinds = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid, "linear": tf.identity}
    variables = [tf.Variable(weight) for weight in weights]
    with tf.GradientTape() as tape:
        restored = tf.constant(x)
        for place, name in enumerate(activations):
            kernel, bias = variables[2 * place : 2 * place + 2]
            restored = kinds[name](tf.matmul(restored, kernel) + bias)
        loss = tf.reduce_mean(tf.square(restored - x))
    gradients = tape.gradient(loss, variables)
    return restored.numpy(), float(loss), [g.numpy() for g in gradients]


def jax_function(weights, activations, x):
    """A pure function of the weights, with gradients by JAX."""
    import jax
    import jax.numpy as jnp

    kinds = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid, "linear": lambda z: z}

    def loss_of(weights):
        restored = x
        for place, name in enumerate(activations):
            restored = kinds[name](restored @ weights[2 * place] + weights[2 * place + 1])
        return jnp.mean((restored - x) ** 2), restored

    (loss, restored), gradients = jax.value_and_grad(loss_of, has_aux=True)(list(weights))
    return np.asarray(restored), float(loss), [np.asarray(g) for g in gradients]


NATIVE = {"torch": torch_module, "tensorflow": tensorflow_operations, "jax": jax_function}


def keras_model(model, x):
    """Return outputs, loss and gradients of a compiled Keras model on the current backend.

    Args:
        model: a compiled Keras model whose target is its input.
        x: inputs in the shape of the model.
    """
    return _KERAS[_backend()](model, x)


def _backend():
    import keras

    return keras.config.backend()


def _keras_torch(model, x):
    import torch

    inputs = torch.from_numpy(x)
    restored = model(inputs, training=True)
    loss = model.compute_loss(inputs, None, restored)
    gradients = torch.autograd.grad(loss, [v.value for v in model.trainable_variables])
    return restored.detach().numpy(), loss.item(), [g.numpy() for g in gradients]


def _keras_tensorflow(model, x):
    import tensorflow as tf

    with tf.GradientTape() as tape:
        restored = model(x, training=True)
        loss = model.compute_loss(tf.constant(x), None, restored)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    return restored.numpy(), float(loss), [g.numpy() for g in gradients]


def _keras_jax(model, x):
    import jax

    rest = [v.value for v in model.non_trainable_variables]

    def loss_of(trainable):
        restored, _ = model.stateless_call(trainable, rest, x, training=True)
        return model.compute_loss(x, None, restored), restored

    trainable = [v.value for v in model.trainable_variables]
    (loss, restored), gradients = jax.value_and_grad(loss_of, has_aux=True)(trainable)
    return np.asarray(restored), float(loss), [np.asarray(g) for g in gradients]


_KERAS = {"torch": _keras_torch, "tensorflow": _keras_tensorflow, "jax": _keras_jax}
