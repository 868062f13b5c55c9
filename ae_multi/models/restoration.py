"""A network that gives back clean images for noisy ones: a U-Net, and noise for its training."""

from ae_multi import training
from ae_multi._keras import keras
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
from ae_multi.validation import as_plain, check_shape, check_size


@keras.saving.register_keras_serializable("ae_multi")
class RestorationNetwork(ImageNetwork):
    r"""Takes noise out of images, past whose code each size hands its details across.

    A denoising autoencoder (Vincent et al., ICML 2008) whose encoder and decoder are a U-Net's
    (Ronneberger et al., MICCAI 2015; see `ae_multi.models.unet.unet`). Each training step adds
    noise of its own, with the same bits on every backend; nothing is added in use.

    Args:
        filters: channels at each size, the largest first and the code last.
        noise: standard deviation of the normal noise that training adds; 0 for images that are
            noisy already.
        input_shape: shape of one image, of any size and channels: (h, w, channels), or (h, w).
        seed: integer that fixes initial weights, batch order and noise on every backend.
        value_range: (0, 1) for images within, whose outputs are a sigmoid's and whose noise is
            cut off there, as a camera's is; None for images of any values.
        stride: as in `SegmentationNetwork`: 2 for a network that works at half of the size.
        depth: convolutions at each size.

    Inputs:
        images of shape (n, \*input_shape), clean or noisy. Outputs have the same shape.

    Raises:
        InputError: sizes below 1, a shape that is no image's, noise below 0, another range, or a
            seed that is no integer from 0 to 2**64 - 1.

    Example:
        >>> model = RestorationNetwork(noise=0.4)
        >>> model.compile()
        >>> history = model.fit(clean, epochs=5)  # or fit(noisy, clean), with noise=0
        >>> restored = model.restore(noisy)
    """

    arguments = ("filters", "noise", "seed", "value_range", "stride", "depth")

    def __init__(
        self,
        filters=(32, 64, 128),
        noise=0.4,
        input_shape=(28, 28, 1),
        seed=0,
        value_range=(0, 1),
        stride=2,
        depth=1,
        **kwargs,
    ):
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

    def call(self, inputs, training=None):
        """Clean images, as a tensor."""
        outputs = self.network(inputs, training=training)
        return keras.ops.reshape(outputs, (-1, *self.network.input_shape[1:]))

    def compile(self, optimizer="adam", loss=None, **kwargs):
        """As `keras.Model.compile`, by default with Adam and `default_loss`."""
        super().compile(
            optimizer=optimizer, loss=self.default_loss if loss is None else loss, **kwargs
        )

    @property
    def default_loss(self):
        """What is smallest, like the mean squared error, at the mean of all clean images.

        Within [0, 1] it is the cross-entropy, whose gradient does not vanish where a sigmoid is
        saturated: most pixels are black, and with the squared error a network can come to
        paint all of them black for good.
        """
        return "binary_crossentropy" if self.value_range else "mse"

    def fit(self, x, y=None, *, validation_data=None, **kwargs):
        """As `ae_multi.fit`, of clean images ``x``, or of noisy ones and clean ones ``y``.

        Raises:
            InputError: images that do not fit the network, or clean ones out of its range.
        """
        if validation_data is not None:
            validation_data = as_validation(validation_data, self._check)
        if is_array_like(x):
            x, y = self._pairs(x, y)
        return training.fit(self, x, y, validation_data=validation_data, **kwargs)

    def restore(self, x, batch_size=None):
        """Clean images for noisy ones: NumPy float32 array of their shape."""
        return predict_float32(self, self._check(x), batch_size)

    def _check(self, x):
        """Noise may have carried images out of their range; unknown noise, anywhere."""
        known = self.value_range and self.noise
        widened = noisy_range(self.value_range, self.noise) if known else None
        return as_samples(x, "x", self.network.input_shape[1:], widened)

    def _pairs(self, x, y):
        """(inputs, clean images), which are the inputs unless given."""
        x, y = as_arrays(x, y, None, self._check)
        return x, as_samples(y, "clean images", self.network.input_shape[1:], self.value_range)
