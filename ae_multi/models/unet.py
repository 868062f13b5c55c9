"""The U-Net: convolutions down to a code and up again, past which each size hands its details."""

from ae_multi._keras import keras
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.randomness.initializers import Seeded

layers = keras.layers


def unet(shape, filters, outputs, activation, seed, *, stride=1, depth=2, front=(), name="pixels"):
    """A functional `keras.Model` from images to maps of their size: (n, h, w, outputs).

    Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image
    segmentation", MICCAI 2015: 3 x 3 convolutions with rectifiers at each size; 2 x 2 max pooling
    on the way down; 2 x 2 transposed convolutions on the way up, joined with what the way down
    had at that size. Borders are padded, so that maps are as large as images; odd sides are
    rounded up on the way down and cut on the way up. Initial weights are He normal, as in the
    paper, biases 0.

    With a stride the largest size is the image's divided by it: a strided convolution leads there,
    and a transposed one, with Glorot uniform weights, back. Most of a U-Net's arithmetic is at
    the largest size, and a stride of 2 saves about three quarters of it.

    Args:
        shape: shape of one image: (h, w, channels), or (h, w).
        filters: channels at each size, the largest first and the code last.
        outputs: maps that come out.
        activation: the name of theirs, or None.
        seed: integer that fixes the initial weights.
        stride: pixels between places of the largest size, in each direction.
        depth: 3 x 3 convolutions at each size, each time that it is passed.
        front: layers that images go through first, without weights to be trained.
        name: of the last layer.
    """

    def conv(kind, count, size, name, activation="relu", initializer="he_normal", **kwargs):
        return kind(
            count,
            size,
            padding="same",
            activation=activation,
            data_format=CHANNELS_LAST,
            kernel_initializer=Seeded(initializer, seed, name),
            name=name,
            **kwargs,
        )

    def convolved(x, count, name):
        for i in range(1, depth + 1):
            x = conv(layers.Conv2D, count, 3, f"{name}_{i}")(x)
        return x

    def cut(x, size):
        rest = [(0, large - small) for large, small in zip(x.shape[1:3], size, strict=True)]
        return layers.Cropping2D(rest, data_format=CHANNELS_LAST)(x)

    inputs = x = keras.Input(shape)
    for layer in front:
        x = layer(x)
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1))(x)
    *sizes, code = filters
    if stride > 1:
        x = conv(layers.Conv2D, filters[0], 2 * stride, "reduce", strides=stride)(x)
    skips = []
    for i, count in enumerate(sizes, 1):
        x = convolved(x, count, f"down_{i}")
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same", data_format=CHANNELS_LAST)(x)
    x = convolved(x, code, "code")
    for i, (count, skip) in enumerate(zip(reversed(sizes), reversed(skips), strict=True), 1):
        x = conv(layers.Conv2DTranspose, count, 2, f"enlarge_{i}", None, strides=2)(x)
        x = layers.Concatenate(axis=-1)([skip, cut(x, skip.shape[1:3])])
        x = convolved(x, count, f"up_{i}")
    if stride == 1:
        x = conv(layers.Conv2D, outputs, 1, name, activation)(x)
    else:
        # He's fan of a transposed kernel counts its outputs; of few, that would be far too large.
        kind, size = layers.Conv2DTranspose, 2 * stride
        x = conv(kind, outputs, size, name, activation, "glorot_uniform", strides=stride)(x)
        x = cut(x, shape[:2])
    return keras.Model(inputs, x, name="network")  # (n, h, w, outputs)
