"""A network that assigns each pixel to a class: a U-Net."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.argument_checks import check_shape, check_size
from ae_multi.data.source import is_source
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.image_network import ImageNetwork
from ae_multi.models.inputs import as_range, as_samples, check_image_shape, is_array_like
from ae_multi.models.losses import PixelCrossEntropy
from ae_multi.models.unet import unet
from ae_multi.randomness.streams import check_seed


@keras.saving.register_keras_serializable("ae_multi")
class SegmentationNetwork(ImageNetwork):
    r"""U-Net that predicts the class of each pixel.

    Ronneberger, Fischer & Brox, "U-Net: convolutional networks for biomedical image
    segmentation", MICCAI 2015; see `ae_multi.models.unet.unet` for its layers.

    Args:
        filters: channels at each image size, from the largest to the code.
        classes: 1 for object and background, with a sigmoid output; otherwise the number of
            classes, with a softmax output.
        input_shape: shape of one image, of any size and channels: (h, w, channels), or (h, w).
        seed: integer that fixes initial weights and batch order on every backend.
        value_range: (lowest, highest) allowed value of the images, or None for any.
        stride: 1 for the network of the paper. 2 for a network that works at half the image size,
            in about a quarter of the time, and whose last layer restores the full size.
        depth: convolutions at each size.

    Inputs:
        images of shape (n, \*input_shape). Outputs are probabilities: (n, h, w, classes).

    Raises:
        InputError: a size is below 1, ``input_shape`` is not an image shape, or ``seed`` is not
            an integer from 0 to 2**64 - 1.

    Example:
        >>> model = SegmentationNetwork(input_shape=(28, 28, 1))
        >>> model.compile()
        >>> history = model.fit(images, masks, epochs=5)
        >>> predicted_masks = model.segment(images)
    """

    arguments = ("filters", "classes", "seed", "value_range", "stride", "depth")

    def __init__(
        self,
        filters: Sequence[int] = (16, 32, 64),
        classes: int = 1,
        input_shape: Sequence[int] = (28, 28, 1),
        seed: int = 0,
        value_range: tuple[float, float] | None = (0, 1),
        stride: int = 1,
        depth: int = 2,
        **kwargs: Any,
    ) -> None:
        stride, depth = check_size("stride", stride), check_size("depth", depth)
        filters, shape = check_shape(filters, "filters"), check_image_shape(input_shape)
        super().__init__(**kwargs)
        self.seed = check_seed(seed)
        self.filters, self.classes = filters, check_size("classes", classes)
        self.value_range = None if value_range is None else as_range(value_range)
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

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the probabilities (n, h, w, classes) as a tensor."""
        return self.network(inputs, training=training)

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """Compile as `keras.Model.compile`, by default with Adam and a cross-entropy per pixel."""
        default = "binary_crossentropy" if self.classes == 1 else PixelCrossEntropy()
        super().compile(optimizer=optimizer, loss=default if loss is None else loss, **kwargs)

    def fit(
        self, x: Any, y: Any = None, *, validation_data: Any = None, **kwargs: Any
    ) -> keras.callbacks.History:
        """Train as `ae_multi.fit`, on images ``x`` and masks ``y``.

        Masks have the shape (n, h, w) or (n, h, w, 1). With one class, each pixel of a mask is a
        number from 0 to 1; with more, it is the class of the pixel, 0 to ``classes`` - 1.

        Returns:
            The `keras.callbacks.History` of the training.

        Raises:
            InputError: images or masks do not fit the network or each other.
        """
        if isinstance(validation_data, tuple | list) and is_array_like(validation_data[0]):
            images, masks, *weights = validation_data
            validation_data = (*self._pairs(images, masks), *weights)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.fit(self, x, y, validation_data=validation_data, **kwargs)

    def segment(self, x: ArrayLike, batch_size: int | None = None) -> np.ndarray:
        """Return the class of each pixel: NumPy int32 array (n, h, w).

        With one class, 1 marks the object: pixels with a probability of at least 0.5.
        """
        probabilities = predict_float32(self, self._check(x), batch_size)
        if self.classes == 1:
            return (probabilities[..., 0] >= 0.5).astype(np.int32)
        return np.argmax(probabilities, axis=-1).astype(np.int32)

    def _check(self, x: Any) -> Any:
        """Return ``x`` as a valid input array; pass data that are not an array on unchanged."""
        return as_samples(x, "x", self.network.input_shape[1:], self.value_range)

    def _pairs(self, x, y):
        """Return (images, masks) as valid arrays of one length."""
        x = self._check(x)
        return x, self._check_masks(y, len(x))

    def _check_masks(self, masks, samples):
        """Return ``masks`` with shape (samples, h, w, 1), or raise `InputError`."""
        masks = masks if is_source(masks) else np.asarray(masks)
        height, width = self.network.input_shape[1:3]
        if masks.shape not in ((samples, height, width), (samples, height, width, 1)):
            raise InputError(
                f"Expected masks for the images, of shape ({samples}, {height}, {width}) or "
                f"({samples}, {height}, {width}, 1). Received: shape {masks.shape}."
            )
        if is_source(masks):
            return masks.map(lambda part: self._check_masks(part, len(part)))
        highest = max(1, self.classes - 1)
        low, high = masks.min(), masks.max()
        if not (low >= 0 and high <= highest):  # also True for NaN
            raise InputError(
                f"Expected masks of values from 0 to {highest}. Received: {low:g} to {high:g}."
            )
        dtype = np.float32 if self.classes == 1 else np.int32
        return masks.reshape(samples, height, width, 1).astype(dtype)
