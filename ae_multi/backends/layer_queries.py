"""What a model is made of, as far as it decides how a framework should run it."""

from ae_multi._keras import keras


def has_convolutions(model):
    """Whether any layer convolves, or runs another one over time."""
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
    return any(isinstance(layer, kinds) for layer in model._flatten_layers())


def draws(model):
    """Whether any layer draws random numbers from one of Keras's seed generators."""
    return any(layer._seed_generators for layer in model._flatten_layers())
