"""A small network from images to a class for each pixel."""

from ae_multi._keras import keras
from ae_multi.randomness import redraw


def unet(shape, filters, classes, seed):
    """Convolutions down to a code and up again, with what was seen on the way down at hand.

    After Ronneberger, Fischer & Brox, "U-Net", MICCAI 2015, with borders kept: for each size
    but the smallest two 3 x 3 convolutions, whose result is pooled on the way down and joined to
    what comes up again.

    Args:
        shape: (height, width) or (height, width, channels) of an image, of any size.
        filters: channels at each size, the largest size first.
        classes: how many classes there are.
        seed: integer that draws the weights.

    Returns:
        A `keras.Model` from (n, *shape) to probabilities (n, height, width, classes).
    """
    layers = keras.layers

    def convolved(x, count):
        for _ in range(2):
            x = layers.Conv2D(count, 3, padding="same", activation="relu")(x)
        return x

    inputs = keras.Input(shape)
    x = layers.Reshape((*shape, 1))(inputs) if len(shape) == 2 else inputs
    seen = []
    for count in filters[:-1]:
        x = convolved(x, count)
        seen.append(x)
        x = layers.MaxPooling2D(2, padding="same")(x)  # sides are halved and rounded up
    x = convolved(x, filters[-1])
    for count, before in zip(filters[-2::-1], reversed(seen), strict=True):
        x = layers.Conv2DTranspose(count, 2, strides=2, activation="relu")(x)
        odd = [(0, up - down) for up, down in zip(x.shape[1:3], before.shape[1:3], strict=True)]
        if any(map(any, odd)):
            x = layers.Cropping2D(odd)(x)
        x = convolved(layers.Concatenate()([before, x]), count)
    outputs = layers.Conv2D(classes, 1, activation="softmax")(x)
    model = keras.Model(inputs, outputs, name="unet")
    redraw(model, seed)
    return model
