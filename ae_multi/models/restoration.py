"""A network that restores clean images from noisy ones: a U-Net with noise in training."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi import training
from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain, check_shape, check_size
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.denoising import noisy_range
from ae_multi.models.image_network import ImageNetwork
from ae_multi.models.inputs import (
    as_arrays,
    as_samples,
    as_validation,
    check_image_shape,
    is_array_like,
)
from ae_multi.models.unet import unet
from ae_multi.randomness.layers import GaussianNoise
from ae_multi.randomness.streams import check_seed


@keras.saving.register_keras_serializable("ae_multi")
class RestorationNetwork(ImageNetwork):
    r"""U-Net that removes noise from images.

    A denoising autoencoder (Vincent et al., ICML 2008) in the form of a U-Net (Ronneberger et al.,
    MICCAI 2015; see `ae_multi.models.unet.unet`). Each training step adds new noise, with the same
    bits on every backend; inference adds none.

    Args:
        filters: channels at each image size, from the largest to the code.
        noise: standard deviation of the normal noise that training adds; 0 for images that are
            noisy already.
        input_shape: shape of one image, of any size and channels: (h, w, channels), or (h, w).
        seed: integer that fixes initial weights, batch order and noise on every backend.
        value_range: (0, 1) for images in [0, 1]: the output is a sigmoid, and noisy training
            images are clipped to the range as in a camera. None for images of any values.
        stride: as in `SegmentationNetwork`: 2 for a network that works at half the image size.
        depth: convolutions at each size.

    Inputs:
        images of shape (n, \*input_shape), clean or noisy. Outputs have the same shape.

    Raises:
        InputError: a size is below 1, ``input_shape`` is not an image shape, ``noise`` is
            negative, ``value_range`` is neither (0, 1) nor None, or ``seed`` is not an integer
            from 0 to 2**64 - 1.

    Example:
        >>> model = RestorationNetwork(noise=0.4)
        >>> model.compile()
        >>> history = model.fit(clean, epochs=5)  # or fit(noisy, clean), with noise=0
        >>> restored = model.restore(noisy)
    """

    arguments = ("filters", "noise", "seed", "value_range", "stride", "depth")

    def __init__(
        self,
        filters: Sequence[int] = (32, 64, 128),
        noise: float = 0.4,
        input_shape: Sequence[int] = (28, 28, 1),
        seed: int = 0,
        value_range: tuple[float, float] | None = (0, 1),
        stride: int = 2,
        depth: int = 1,
        **kwargs: Any,
    ) -> None:
        stride, depth = check_size("stride", stride), check_size("depth", depth)
        filters, shape = check_shape(filters, "filters"), check_image_shape(input_shape)
        noise = as_plain(noise)
        if not isinstance(noise, int | float) or not 0 <= noise < float("inf"):
            raise InputError(f"Expected noise to be a number of at least 0. Received: {noise!r}.")
        if value_range is not None and tuple(value_range) != (0, 1):
            raise InputError(
                f"Expected value_range to be (0, 1) or None. Received: {value_range!r}."
            )
        super().__init__(**kwargs)
        self.filters, self.noise, self.seed = filters, float(noise), check_seed(seed)
        self.value_range = None if value_range is None else (0.0, 1.0)
        self.stride, self.depth = stride, depth
        front = []
        if noise:
            front.append(GaussianNoise(self.noise, seed=self.seed, name="noise"))
            if self.value_range:
                front.append(keras.layers.ReLU(max_value=1.0, name="cut_off"))
        self.network = unet(
            shape,
            filters,
            (*shape, 1)[2],
            "sigmoid" if self.value_range else None,
            self.seed,
            stride=self.stride,
            depth=self.depth,
            front=front,
        )
        self.build((None, *shape))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return clean images as a tensor."""
        outputs = self.network(inputs, training=training)
        return keras.ops.reshape(outputs, (-1, *self.network.input_shape[1:]))

    def compile(self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any) -> None:
        """Compile as `keras.Model.compile`, by default with Adam and `default_loss`."""
        super().compile(
            optimizer=optimizer, loss=self.default_loss if loss is None else loss, **kwargs
        )

    @property
    def default_loss(self) -> str:
        """Name of the default loss, which is minimal at the mean of the possible clean images.

        It is the cross-entropy for images in [0, 1] and the mean squared error otherwise. The
        gradient of the cross-entropy does not vanish where the sigmoid saturates. With the squared
        error and mostly black images, a network can get stuck with all outputs black.
        """
        return "binary_crossentropy" if self.value_range else "mse"

    def fit(
        self, x: Any, y: Any = None, *, validation_data: Any = None, **kwargs: Any
    ) -> keras.callbacks.History:
        """Train as `ae_multi.fit`, on clean images ``x`` or on noisy ``x`` and clean ``y``.

        Returns:
            The `keras.callbacks.History` of the training.

        Raises:
            InputError: images do not fit the network, or clean images are outside its range.
        """
        if validation_data is not None:
            validation_data = as_validation(validation_data, self._check)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.fit(self, x, y, validation_data=validation_data, **kwargs)

    def restore(self, x: ArrayLike, batch_size: int | None = None) -> np.ndarray:
        """Return clean images for the noisy images ``x``: float32 array of the same shape."""
        return predict_float32(self, self._check(x), batch_size)

    def _check(self, x: Any) -> Any:
        """Return ``x`` as a valid input array.

        Noisy images may leave the range of clean ones; without a known noise level, any value is
        allowed.
        """
        is_bounded = self.value_range and self.noise
        noisy = noisy_range((0.0, 1.0), self.noise) if is_bounded else None
        return as_samples(x, "x", self.network.input_shape[1:], noisy)

    def _pairs(self, x, y):
        """Return (inputs, clean images); the clean images default to the inputs."""
        x, y = as_arrays(x, y, None, self._check)
        return x, as_samples(y, "clean images", self.network.input_shape[1:], self.value_range)
