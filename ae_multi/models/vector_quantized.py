"""A vector-quantised autoencoder: codes are words of a codebook that is learnt with them."""

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.base import predict_float32
from ae_multi.models.layered import LayeredAutoencoder, check_weight, widened
from ae_multi.randomness.initializers import Seeded
from ae_multi.randomness.streams import check_seed
from ae_multi.validation import check_size

ops = keras.ops

# Standard deviation of the first words. Among words that are shorter than the vectors, it is the
# direction that decides which is nearest, and all come to be used; of longer ones most never are.
_SMALL = 0.1


@keras.saving.register_keras_serializable("ae_multi")
class VectorQuantizedAutoencoder(LayeredAutoencoder):
    r"""An encoder to vectors, each replaced by the nearest of a codebook, and a decoder.

    van den Oord, Vinyals & Kavukcuoglu, "Neural discrete representation learning", NIPS 2017,
    equation 3, with sg what gradients do not pass and means over all values:

        loss + mean (sg[z] - e)² + commitment · mean (z - sg[e])²,  e the nearest word to z.

    The decoder is given e, and its gradient goes to z as if z had been given (straight through).

    Args:
        codebook_size: number of words.
        code_dim: size of a word.
        codes: number of words that make up a sample's code; own parts decide it themselves.
        commitment: weight of what keeps z near its word, at least 0; the paper's β.
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights, codebook and batch order on every backend; None
            keeps the weights of own parts as they come.
        encoder: own encoder that begins with a `keras.Input`, in place of the dense one. What it
            gives, (n, ..., code_dim), a map of convolutions say, is quantised along the last axis.
        decoder: own decoder, with it, from the same shape.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any.
        activation: name of the hidden layers' activation, where parts are not own.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or what the own encoder takes. Outputs have
        the same shape; codes are (n, codes, code_dim).

    Raises:
        InputError: sizes below 1, a negative commitment, parts that do not fit, one part without
            the other, or a seed that is no integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        codebook_size=64,
        code_dim=4,
        codes=16,
        commitment=0.25,
        hidden=(256,),
        input_shape=(28, 28, 1),
        seed=0,
        encoder=None,
        decoder=None,
        value_range=None,
        activation="relu",
        **kwargs,
    ):
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
            behind=quantise,
            code_shape=(codes, code_dim),
            activation=activation,
            **kwargs,
        )
        self.codebook_size, self.code_dim, self.codes = codebook_size, code_dim, codes
        self.commitment = commitment

    def code_indices(self, x, batch_size=None):
        """Which word each code of ``x`` is: NumPy int32 array (n, codes), without `code_dim`."""
        *layers, quantizer = self.encoder.layers
        shape = self.encoder.input_shape[1:]
        model = keras.Sequential([keras.Input(shape), *layers, _Indices(quantizer)])
        return predict_float32(model, self._check(x), batch_size).astype(np.int32, copy=False)

    def get_config(self):
        """The arguments, for saving."""
        config = super().get_config()
        config.pop("latent_dim", None)
        names = ("codebook_size", "code_dim", "codes", "commitment")
        return {**config, **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("ae_multi")
class VectorQuantizer(keras.layers.Layer):
    """Replaces vectors by the nearest of a codebook, and adds its two losses to the model's.

    Args:
        codebook_size: number of words.
        code_dim: size of a word.
        commitment: weight of the loss that keeps inputs near their words.
        seed: integer that draws the codebook.

    Call arguments:
        inputs: tensor (n, ..., code_dim).
        training: whether gradients are to pass straight through; the words alone otherwise.
    """

    def __init__(self, codebook_size, code_dim, commitment=0.25, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.codebook_size = check_size("codebook_size", codebook_size)
        self.code_dim = check_size("code_dim", code_dim)
        self.commitment = check_weight("commitment", commitment)
        self.seed = check_seed(seed)
        self.codebook = self.add_weight(
            shape=(self.codebook_size, self.code_dim),
            initializer=Seeded(keras.initializers.RandomNormal(stddev=_SMALL), seed, "codebook"),
            name="codebook",
        )

    def build(self, input_shape):
        """See that the vectors are of a word's size."""
        if len(input_shape) < 2 or input_shape[-1] != self.code_dim:
            raise InputError(
                f"Expected vectors of code_dim = {self.code_dim} numbers on the last axis. "
                f"Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def indices(self, inputs):
        """Which word is nearest to each vector: int32 tensor (n, ...)."""
        # |z - e|² less |z|², which is the same for all words.
        words = ops.convert_to_tensor(self.codebook)
        products = ops.matmul(inputs, ops.transpose(words))  # (n, ..., codebook_size)
        distances = ops.sum(ops.square(words), axis=1) - 2 * products
        return ops.argmin(distances, axis=-1)

    def call(self, inputs, training=False):
        """The words nearest to ``inputs``, of the same shape."""
        # By products with 0 and 1, whose gradient is alike everywhere: that of a look-up is
        # sparse on TensorFlow, where Adam treats it otherwise. Compared rather than one_hot,
        # which asks for values on PyTorch and so cannot be recorded.
        numbers = ops.arange(self.codebook_size, dtype="int32")
        nearest = ops.cast(ops.expand_dims(self.indices(inputs), -1), "int32")
        chosen = ops.cast(ops.equal(nearest, numbers), inputs.dtype)  # (n, ..., codebook_size)
        words = ops.matmul(chosen, ops.convert_to_tensor(self.codebook))
        still = ops.stop_gradient
        wide_inputs, wide_words = widened(inputs), widened(words)
        codebook = ops.mean(ops.square(still(wide_inputs) - wide_words))
        commitment = ops.mean(ops.square(wide_inputs - still(wide_words)))
        self.add_loss(codebook + self.commitment * commitment)
        return inputs + still(words - inputs) if training else words

    def compute_output_shape(self, input_shape):
        """The shape of ``inputs``."""
        return input_shape

    def get_config(self):
        """The arguments, for saving."""
        names = ("codebook_size", "code_dim", "commitment", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Indices(keras.layers.Layer):
    """The indices of a quantizer's words, as a layer's outputs."""

    def __init__(self, quantizer):
        super().__init__()
        self.quantizer = quantizer

    def call(self, inputs):
        return self.quantizer.indices(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape[:-1]
