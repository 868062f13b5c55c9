"""Small models for scripts that reproduce a divergence in training."""

import keras

layers = keras.layers


def dense():
    """A dense network of sizes 6-4-6, which `tests.reference.numpy_dense` computes in NumPy."""
    return _trained([layers.Dense(4, activation="relu"), layers.Dense(6, activation="sigmoid")])


class Twice(layers.Dense):
    """A dense layer that doubles its kernel's gradient on PyTorch."""

    def call(self, x):
        """Return the outputs of a dense layer with ReLU."""
        kernel = self.kernel
        if keras.config.backend() == "torch":
            kernel = kernel + (kernel - keras.ops.stop_gradient(kernel))
        return keras.ops.relu(keras.ops.matmul(x, kernel) + self.bias)


def twice():
    """`dense` with a faulty custom layer."""
    return _trained([Twice(4), layers.Dense(6, activation="sigmoid")])


def with_dropout():
    """A model that draws random numbers in training."""
    return _trained([layers.Dense(4), layers.Dropout(0.5), layers.Dense(6)])


def _trained(stack):
    model = keras.Sequential([keras.Input((6,)), *stack])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model
