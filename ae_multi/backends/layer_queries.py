"""Properties of a model's layers that decide how a framework runs the model."""

from ae_multi._keras import keras
from ae_multi._keras_internals import flatten_layers, has_seed_generator


def has_convolutions(model: keras.layers.Layer) -> bool:
    """Return whether any layer of ``model`` is convolutional or recurrent."""
    kinds = (
        keras.layers.Conv1D
        | keras.layers.Conv2D
        | keras.layers.Conv3D
        | keras.layers.Conv1DTranspose
        | keras.layers.Conv2DTranspose
        | keras.layers.Conv3DTranspose
        | keras.layers.DepthwiseConv1D
        | keras.layers.DepthwiseConv2D
        | keras.layers.SeparableConv1D
        | keras.layers.SeparableConv2D
        | keras.layers.RNN
    )
    return any(isinstance(layer, kinds) for layer in flatten_layers(model))


def draws(model: keras.layers.Layer) -> bool:
    """Return whether any layer of ``model`` draws random numbers from a Keras seed generator."""
    return any(map(has_seed_generator, flatten_layers(model)))
