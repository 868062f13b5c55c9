"""A network that says of each pixel what it belongs to: encoder, code, decoder, and skips."""

import numpy as np

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.image_network import ImageNetwork
from ae_multi.models.inputs import as_samples, check_image_shape, is_array_like
from ae_multi.models.losses import PixelCrossEntropy
from ae_multi.models.unet import unet
from ae_multi.randomness.streams import check_seed
from ae_multi.validation import check_shape, check_size


@keras.saving.register_keras_serializable("ae_multi")
class SegmentationNetwork(ImageNetwork):
    r"""Convolutions down to a code and up again, past which each size hands its details across.

    Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image
    segmentation", MICCAI 2015; see `ae_multi.models.unet.unet` for what it is made of.

    Args:
        filters: channels at each size, the largest image first and the code last.
        classes: 1 for object and background, with a sigmoid; more for so many kinds of pixels,
            with a softmax over them.
        input_shape: shape of one image, of any size and channels: (h, w, channels), or (h, w).
        seed: integer that fixes initial weights and batch order on every backend.
        value_range: (lowest, highest) value that images may have, or None for any.
        stride: 1 for the paper's network; 2 for one that works at half of the image's size, in
            about a quarter of the time, and whose last layer brings its maps back to full size.
        depth: convolutions at each size.

    Inputs:
        images of shape (n, \*input_shape). Outputs are probabilities: (n, h, w, classes).

    Raises:
        InputError: sizes below 1, a shape that is no image's, or a seed that is no integer from 0
            to 2**64 - 1.

    Example:
        >>> model = SegmentationNetwork(input_shape=(28, 28, 1))
        >>> model.compile()
        >>> history = model.fit(images, masks, epochs=5)
        >>> found = model.segment(images)
    """

    arguments = ("filters", "classes", "seed", "value_range", "stride", "depth")

    def __init__(
        self,
        filters=(16, 32, 64),
        classes=1,
        input_shape=(28, 28, 1),
        seed=0,
        value_range=(0, 1),
        stride=1,
        depth=2,
        **kwargs,
    ):
        stride, depth = check_size("stride", stride), check_size("depth", depth)
        filters, shape = check_shape(filters, "filters"), check_image_shape(input_shape)
        super().__init__(**kwargs)
        self.seed = check_seed(seed)
        self.filters, self.classes = filters, check_size("classes", classes)
        self.value_range = None if value_range is None else tuple(map(float, value_range))
        self.stride, self.depth = stride, depth
        self.network = unet(
            shape,
            filters,
            self.classes,
            "sigmoid" if self.classes == 1 else "softmax",
            self.seed,
            stride=self.stride,
            depth=self.depth,
            name="probabilities",
        )
        self.build((None, *shape))

    def call(self, inputs, training=None):
        """Probabilities (n, h, w, classes), as a tensor."""
        return self.network(inputs, training=training)

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As `keras.Model.compile`, by default with Adam and the cross-entropy of each pixel."""
        plain = "binary_crossentropy" if self.classes == 1 else PixelCrossEntropy()
        super().compile(optimizer=optimizer, loss=plain if loss is None else loss, **kwargs)

    def fit(self, x, y=None, *, validation_data=None, **kwargs):
        """As `ae_multi.fit`, of images ``x`` and masks ``y`` (n, h, w) or (n, h, w, 1).

        A mask has a number from 0 to 1 in each pixel where there is one class, and else the
        pixel's class, 0 to classes - 1.

        Raises:
            InputError: images or masks that do not fit the network or each other.
        """
        if isinstance(validation_data, tuple | list) and is_array_like(validation_data[0]):
            images, masks, *weights = validation_data
            validation_data = (*self._pairs(images, masks), *weights)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.fit(self, x, y, validation_data=validation_data, **kwargs)

    def segment(self, x, batch_size=None):
        """The class of each pixel: NumPy int32 array (n, h, w).

        With one class 1 is the object, where its probability is at least a half.
        """
        found = predict_float32(self, self._check(x), batch_size)
        chosen = found[..., 0] >= 0.5 if self.classes == 1 else np.argmax(found, axis=-1)
        return chosen.astype(np.int32)

    def _check(self, x):
        return as_samples(x, "x", self.network.input_shape[1:], self.value_range)

    def _pairs(self, x, y):
        """(images, masks)."""
        x = self._check(x)
        return x, self._check_masks(y, len(x))

    def _check_masks(self, masks, samples):
        """``masks`` as (n, h, w, 1), or an `InputError`."""
        masks = np.asarray(masks)
        height, width = self.network.input_shape[1:3]
        if masks.shape not in ((samples, height, width), (samples, height, width, 1)):
            raise InputError(
                f"Expected masks for the images, of shape ({samples}, {height}, {width}), or with "
                f"an axis of 1 behind. Received: shape {masks.shape}."
            )
        highest = max(1, self.classes - 1)
        low, high = masks.min(), masks.max()
        if not (low >= 0 and high <= highest):  # NaN is neither
            raise InputError(
                f"Expected masks of values from 0 to {highest}. Received: {low:g} to {high:g}."
            )
        kind = np.float32 if self.classes == 1 else np.int32
        return masks.reshape(samples, height, width, 1).astype(kind)
