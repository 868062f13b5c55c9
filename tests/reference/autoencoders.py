"""Autoencoders of three classes, and one with a custom encoder and decoder."""

import ae_multi


def convolutional_parts(keras):
    """Return a custom convolutional encoder and decoder."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(5),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((5,)),
            keras.layers.Dense(4 * 4 * 4, activation="relu"),
            keras.layers.Reshape((4, 4, 4)),
            keras.layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )
    return encoder, decoder


def models(keras):
    """Return a dict of name to autoencoder, for images of 8×8 pixels."""
    return {
        "simple": ae_multi.SimpleAutoencoder(4, (8, 8, 1)),
        "deep": ae_multi.DeepAutoencoder((16, 8), 4, (8, 8, 1)),
        "conv": ae_multi.ConvAutoencoder((4,), 4, (8, 8, 1)),
        "own": ae_multi.Autoencoder(*convolutional_parts(keras), seed=2),
    }
