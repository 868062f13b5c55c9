"""Networks that are timed, and their data."""

NAMES = ("simple", "deep", "conv")


def network(name, input_shape, width=1):
    """Return a compiled autoencoder with Adam, mean squared error and seed 0.

    Args:
        name: "simple", "deep" or "conv", models of this package.
        input_shape: shape of one sample.
        width: factor of the widths of the hidden layers and the code of "deep".
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
    """Return the training images of MNIST, or of its bundled sample if MNIST is not available.

    Args:
        count: number of images, repeated from the first if there are fewer, or None for all.

    Returns:
        (images, float32 of shape (n, 28, 28, 1); name of the data set).
    """
    import numpy as np

    from ae_multi.data import load_data

    data = load_data("auto")
    x = data.x_train
    return (x if count is None else x[np.arange(count) % len(x)]), data.name
