"""A vector-quantised autoencoder: each code is a codebook vector, and the codebook is trained."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi._keras import keras
from ae_multi.argument_checks import check_size
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.layered import LayeredAutoencoder, check_weight, widened
from ae_multi.randomness.initializers import Seeded
from ae_multi.randomness.streams import check_seed

ops = keras.ops

# Standard deviation of the initial codebook. If its vectors are shorter than the encoder outputs,
# the direction decides which one is nearest, and training uses all. Of longer ones, most are never
# used.
_INITIAL_STDDEV = 0.1


@keras.saving.register_keras_serializable("ae_multi")
class VectorQuantizedAutoencoder(LayeredAutoencoder):
    r"""Autoencoder that replaces each encoder output by the nearest vector of a codebook.

    van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", NIPS 2017,
    equation 3, with sg the stop-gradient operator, e the codebook vector nearest to the encoder
    output z, and means over all values:

        loss + mean (sg[z] - e)² + commitment · mean (z - sg[e])².

    The decoder receives e. Its gradient is passed to z unchanged (straight-through estimator).

    Args:
        codebook_size: number of vectors in the codebook.
        code_dim: size of one vector.
        codes: number of vectors in the code of a sample; a custom encoder determines it itself.
        commitment: weight of the loss that keeps z near its codebook vector, at least 0; the
            paper's β.
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, codebook and batch order on every backend; None
            keeps the weights of a custom encoder and decoder.
        encoder: custom encoder that begins with a `keras.Input`, instead of the dense one. Its
            outputs (n, ..., code_dim), such as a convolutional map, are quantised along the last
            axis.
        decoder: custom decoder with inputs of the same shape; required with ``encoder``.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any.
        activation: name of the hidden layers' activation in the dense encoder and decoder.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or the inputs of the custom encoder. Outputs
        have the same shape; codes have the shape (n, codes, code_dim).

    Raises:
        InputError: a size is below 1, ``commitment`` is negative, the shapes of a custom encoder
            and decoder do not match, only one of them is given, or ``seed`` is not an integer
            from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        codebook_size: int = 64,
        code_dim: int = 4,
        codes: int = 16,
        commitment: float = 0.25,
        hidden: Sequence[int] = (256,),
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int | None = 0,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        value_range: tuple[float, float] | None = None,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
        codebook_size, code_dim, codes = (
            check_size(name, size)
            for name, size in (
                ("codebook_size", codebook_size),
                ("code_dim", code_dim),
                ("codes", codes),
            )
        )
        commitment = check_weight("commitment", commitment)

        def quantise(_):
            return VectorQuantizer(
                codebook_size, code_dim, commitment, seed or 0, name="vector_quantizer"
            )

        super().__init__(
            hidden,
            codes * code_dim,
            input_shape,
            seed,
            encoder,
            decoder,
            value_range,
            after=quantise,
            code_shape=(codes, code_dim),
            activation=activation,
            **kwargs,
        )
        self.codebook_size, self.code_dim, self.codes = codebook_size, code_dim, codes
        self.commitment = commitment

    def code_indices(self, x: ArrayLike, batch_size: int | None = None) -> np.ndarray:
        """Return the codebook index of each code of ``x``: NumPy int32 array (n, codes)."""
        *layers, quantizer = self.encoder.layers
        shape = self.encoder.input_shape[1:]
        model = keras.Sequential([keras.Input(shape), *layers, _Indices(quantizer)])
        return predict_float32(model, self._check(x), batch_size).astype(np.int32, copy=False)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        config = super().get_config()
        config.pop("latent_dim", None)
        names = ("codebook_size", "code_dim", "codes", "commitment")
        return {**config, **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("ae_multi")
class VectorQuantizer(keras.layers.Layer):
    """Replace vectors by the nearest codebook vectors, and add the two losses of the codebook.

    Args:
        codebook_size: number of vectors in the codebook.
        code_dim: size of one vector.
        commitment: weight of the loss that keeps inputs near their codebook vectors.
        seed: integer that fixes the initial codebook.

    Call arguments:
        inputs: tensor (n, ..., code_dim).
        training: whether to use the straight-through estimator; otherwise the layer returns the
            codebook vectors directly.
    """

    def __init__(
        self,
        codebook_size: int,
        code_dim: int,
        commitment: float = 0.25,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.codebook_size = check_size("codebook_size", codebook_size)
        self.code_dim = check_size("code_dim", code_dim)
        self.commitment = check_weight("commitment", commitment)
        self.seed = check_seed(seed)
        self.codebook = self.add_weight(
            shape=(self.codebook_size, self.code_dim),
            initializer=Seeded(
                keras.initializers.RandomNormal(stddev=_INITIAL_STDDEV), seed, "codebook"
            ),
            name="codebook",
        )

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that the last axis has the size ``code_dim``, or raise `InputError`."""
        if len(input_shape) < 2 or input_shape[-1] != self.code_dim:
            raise InputError(
                f"Expected vectors of code_dim = {self.code_dim} numbers on the last axis. "
                f"Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def indices(self, inputs: Any) -> Any:
        """Return the index of the nearest codebook vector for each input: int32 tensor (n, ...)."""
        # |z - e|² without |z|², which is the same for all codebook vectors.
        vectors = ops.convert_to_tensor(self.codebook)
        products = ops.matmul(inputs, ops.transpose(vectors))  # (n, ..., codebook_size)
        distances = ops.sum(ops.square(vectors), axis=1) - 2 * products
        return ops.argmin(distances, axis=-1)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the codebook vectors nearest to ``inputs``, with the same shape."""
        # A product with a one-hot matrix has the same gradient on all backends; that of a look-up
        # is sparse on TensorFlow, where Adam treats it differently. `one_hot` is not used, since it
        # reads values on PyTorch and therefore cannot be traced.
        numbers = ops.arange(self.codebook_size, dtype="int32")
        nearest = ops.cast(ops.expand_dims(self.indices(inputs), -1), "int32")
        one_hot = ops.cast(ops.equal(nearest, numbers), inputs.dtype)  # (n, ..., codebook_size)
        vectors = ops.matmul(one_hot, ops.convert_to_tensor(self.codebook))
        stop = ops.stop_gradient
        wide_inputs, wide_vectors = widened(inputs), widened(vectors)
        codebook = ops.mean(ops.square(stop(wide_inputs) - wide_vectors))
        commitment = ops.mean(ops.square(wide_inputs - stop(wide_vectors)))
        self.add_loss(codebook + self.commitment * commitment)
        return inputs + stop(vectors - inputs) if training else vectors

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``input_shape``."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        names = ("codebook_size", "code_dim", "commitment", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Indices(keras.layers.Layer):
    """Layer that returns the codebook indices of a `VectorQuantizer`."""

    def __init__(self, quantizer: VectorQuantizer) -> None:
        super().__init__()
        self.quantizer = quantizer

    def call(self, inputs: Any) -> Any:
        return self.quantizer.indices(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[:-1]
