"""The U-Net: an encoder and a decoder of convolutions with a skip connection at each size."""

from collections.abc import Sequence

from ae_multi._keras import keras
from ae_multi.models.inputs import CHANNELS_LAST
from ae_multi.randomness.initializers import Seeded

layers = keras.layers


def unet(
    shape: Sequence[int],
    filters: Sequence[int],
    outputs: int,
    activation: str | None,
    seed: int,
    *,
    stride: int = 1,
    depth: int = 2,
    front: Sequence[keras.layers.Layer] = (),
    name: str = "pixels",
) -> keras.Model:
    """Build a U-Net from images to maps of the same size.

    Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image
    segmentation", MICCAI 2015: 3 x 3 convolutions with rectifiers at each size, 2 x 2 max pooling
    in the encoder, and 2 x 2 transposed convolutions in the decoder, concatenated with the encoder
    outputs of the same size. Borders are padded, so that maps are as large as images. Odd sides
    are rounded up in the encoder and cropped in the decoder. Initial weights are He normal, as in
    the paper; biases are 0.

    With a ``stride`` above 1, the network works at the image size divided by the stride: a strided
    convolution reduces the image, and a transposed one with Glorot uniform weights restores the
    size. Most arithmetic of a U-Net is at its largest size; a stride of 2 saves about three
    quarters of it.

    Args:
        shape: shape of one image: (h, w, channels), or (h, w).
        filters: channels at each image size, from the largest to the code.
        outputs: number of output maps.
        activation: name of the output activation, or None.
        seed: integer that fixes the initial weights.
        stride: factor by which the sides of the image are reduced first.
        depth: number of 3 x 3 convolutions at each size, in the encoder and in the decoder.
        front: layers in front of the network, without trainable weights.
        name: name of the last layer.

    Returns:
        A functional `keras.Model` with outputs of shape (n, h, w, outputs).
    """

    def conv(layer, count, size, name, activation="relu", initializer="he_normal", **kwargs):
        return layer(
            count,
            size,
            padding="same",
            activation=activation,
            data_format=CHANNELS_LAST,
            kernel_initializer=Seeded(initializer, seed, name),
            name=name,
            **kwargs,
        )

    def convolve(x, count, name):
        for i in range(1, depth + 1):
            x = conv(layers.Conv2D, count, 3, f"{name}_{i}")(x)
        return x

    def crop(x, size):
        margins = [(0, large - small) for large, small in zip(x.shape[1:3], size, strict=True)]
        return layers.Cropping2D(margins, data_format=CHANNELS_LAST)(x)

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
        x = convolve(x, count, f"down_{i}")
        skips.append(x)
        x = layers.MaxPooling2D(2, padding="same", data_format=CHANNELS_LAST)(x)
    x = convolve(x, code, "code")
    for i, (count, skip) in enumerate(zip(reversed(sizes), reversed(skips), strict=True), 1):
        x = conv(layers.Conv2DTranspose, count, 2, f"enlarge_{i}", None, strides=2)(x)
        x = layers.Concatenate(axis=-1)([skip, crop(x, skip.shape[1:3])])
        x = convolve(x, count, f"up_{i}")
    if stride == 1:
        x = conv(layers.Conv2D, outputs, 1, name, activation)(x)
    else:
        # The fan-in of a transposed kernel counts its output channels. With few of them, He normal
        # weights would be far too large.
        layer, size = layers.Conv2DTranspose, 2 * stride
        x = conv(layer, outputs, size, name, activation, "glorot_uniform", strides=stride)(x)
        x = crop(x, shape[:2])
    return keras.Model(inputs, x, name="network")  # (n, h, w, outputs)
