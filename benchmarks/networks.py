"""The networks that are timed, and their data."""

NAMES = ("simple", "deep", "conv")


def network(name, input_shape, width=1):
    """A compiled autoencoder: Adam, mean squared error, seed 0.

    Args:
        name: "simple", "deep" or "conv", the package's own models.
        input_shape: shape of one sample.
        width: how many times as wide as usual the hidden layers of "deep" are.
    """
    import ae_multi

    if name == "deep":
        hidden = tuple(width * units for units in (128, 64, 36, 18))
        model = ae_multi.DeepAutoencoder(hidden, 9 * width, input_shape, seed=0)
    else:
        kind = {"simple": ae_multi.SimpleAutoencoder, "conv": ae_multi.ConvAutoencoder}[name]
        model = kind(input_shape=input_shape, seed=0)
    model.compile("adam", "mse")
    return model


def images(count=None):
    """MNIST's training images, or those of its bundled sample where MNIST is not available.

    Args:
        count: how many of them, one after another and again from the first, or None for all.

    Returns:
        (x float32 (n, 28, 28, 1), name of the data)
    """
    import numpy as np

    from ae_multi.data import load_data

    data = load_data("auto")
    x = data.x_train
    return (x if count is None else x[np.arange(count) % len(x)]), data.name
