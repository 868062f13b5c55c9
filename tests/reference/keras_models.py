"""Keras models for parity checks: some agree, some contain a layer that differs."""

import keras

layers = keras.layers


def bicubic():
    """A model with a layer that Keras 3.15 computes differently on PyTorch."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, padding="same"),
            layers.UpSampling2D(2, interpolation="bicubic", name="enlarge"),
            layers.Conv2D(1, 3, strides=2, padding="same"),
        ]
    )


def large_mean():
    """BatchNormalization of data whose mean is a hundred times their standard deviation."""
    return keras.Sequential(
        [
            keras.Input((10,)),
            layers.Rescaling(1.0, offset=100.0),
            layers.BatchNormalization(name="normalise"),
            layers.Dense(10),
        ]
    )


def mean_beyond_spread():
    """BatchNormalization of values whose mean is several times their standard deviation."""
    return keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            layers.Conv2D(6, 3, padding="same", activation="tanh"),
            layers.BatchNormalization(name="normalise"),
            layers.GlobalAveragePooling2D(),
        ]
    )


def repeated_words():
    """An embedding of a word that occurs many times in a batch."""
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, name="words"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    model.compile(keras.optimizers.Adam(1e-3), "mse")
    return model


class Gate(layers.Layer):
    """A custom layer whose weight has no initializer attribute."""

    def build(self, input_shape):
        """Create one weight for each feature."""
        self.gate = self.add_weight((input_shape[-1],), "glorot_normal", name="gate")

    def call(self, x):
        """Return ``x`` times the sigmoid of the weights."""
        return x * keras.ops.sigmoid(self.gate)


def two_inputs():
    """Two inputs, two outputs, dropout, noise, a custom layer, and initializers of Keras."""
    image, table = keras.Input((8, 8, 2), name="image"), keras.Input((5,), name="table")
    x = layers.Conv2D(6, 3, kernel_initializer="he_normal", activation="relu")(image)
    x = layers.GlobalAveragePooling2D()(layers.GaussianNoise(0.1)(x))
    x = layers.Concatenate()([x, Gate()(table)])
    x = layers.Dropout(0.3)(layers.Dense(12, kernel_initializer="orthogonal")(x))
    x = layers.LayerNormalization()(x)
    return keras.Model([image, table], [layers.Dense(3)(x), layers.Dense(2, "softmax")(x)])


def nothing():
    """Return an object that is not a model."""
    return 7


def failing():
    """Raise an error."""
    raise RuntimeError("the cause")


def variational():
    """A small variational autoencoder, which samples in training."""
    import ae_multi

    return ae_multi.VariationalAutoencoder(2.0, (16,), 4, (9, 6, 1))
