"""A contractive autoencoder: its codes move little when its inputs do."""

import math

import numpy as np

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.layered import LayeredAutoencoder, check_choice, check_weight

ops = keras.ops

# The derivative of each activation, from its output h.
_SLOPES = {
    "sigmoid": lambda h: h * (1 - h),
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: ops.cast(h > 0, h.dtype),
    "elu": lambda h: 1 + ops.minimum(h, 0),
    "linear": ops.ones_like,
}
_SHAPING = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)
_AT_ONCE = 1024


@keras.saving.register_keras_serializable("ae_multi")
class ContractiveAutoencoder(LayeredAutoencoder):
    r"""An autoencoder that is penalised for the slope of its encoder.

    Rifai, Vincent, Muller, Glorot & Bengio, "Contractive auto-encoders", ICML 2011: with J(x) the
    Jacobian of the codes by the inputs and D values in a sample,

        loss + strength / D · mean ||J(x)||²_F,

    where strength is the paper's λ, since the loss is a mean over the values. For one layer,
    h = sigmoid(x W + b), it is ||J||² = Σ_j (h_j (1 - h_j))² Σ_i W_ij². For more it is the product
    J = S_k W_kᵀ ⋯ S_1 W_1ᵀ with S_i the diagonal of the activations' slopes: exact, at the cost of
    a (codes, widest hidden layer) matrix for each sample. The paper ties the decoder's weights to
    the encoder's; here they are free, so that a small W can be made up for by a large decoder.

    Args:
        strength: weight λ of the penalty, at least 0.
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        latent_dim: size of the code, of sigmoid activations.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend; None keeps the
            weights of own parts as they come.
        encoder: own encoder in place of the dense one: a `keras.Sequential` of a `keras.Input`,
            Flatten, Reshape and Dense layers with sigmoid, tanh, relu, elu or linear activations.
            Of other layers the Jacobian is not known here.
        decoder: own decoder, with it, of any layers.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any.
        activation: name of the hidden layers' activation, one of those, where parts are not own.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or what the own encoder takes. Outputs have
        the same shape.

    Raises:
        InputError: a negative strength, an own encoder of other layers, sizes below 1, one part
            without the other, or a seed that is no integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        strength=0.1,
        hidden=(),
        latent_dim=64,
        input_shape=(28, 28, 1),
        seed=0,
        encoder=None,
        decoder=None,
        value_range=None,
        activation="relu",
        **kwargs,
    ):
        strength = check_weight("strength", strength)
        activation = check_choice("activation", activation, tuple(_SLOPES))
        if encoder is not None and decoder is not None:
            _check_layers(encoder)
        super().__init__(
            hidden,
            latent_dim,
            input_shape,
            seed,
            encoder,
            decoder,
            value_range,
            activation=activation,
            code_activation="sigmoid",
            **kwargs,
        )
        self.strength = strength

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The compiled loss and the penalty."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        weight = self.strength / math.prod(self.encoder.input_shape[1:])
        return loss + ops.multiply(ops.mean(_squared_jacobian(self.encoder, x)), weight)

    def squared_jacobian(self, x):
        """||J(x)||²_F, the squared slope of the codes at each sample: float32 of shape (n,)."""
        x = self._check(x)
        parts = [x[start : start + _AT_ONCE] for start in range(0, len(x), _AT_ONCE)]
        found = [_squared_jacobian(self.encoder, ops.convert_to_tensor(part)) for part in parts]
        return np.concatenate([ops.convert_to_numpy(part) for part in found])

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "strength": self.strength}


def _squared_jacobian(encoder, x):
    """||J||²_F of each sample: (n,)."""
    outputs, steps = x, []
    for layer in _flat(encoder):
        outputs = layer(outputs)
        if isinstance(layer, keras.layers.Dense):
            slope = _SLOPES[keras.activations.serialize(layer.activation)](outputs)
            kernel = ops.convert_to_tensor(layer.kernel)
            steps.append((kernel, ops.cast(slope, kernel.dtype)))  # from half precision
    # From the codes backwards, so that no matrix is as wide as the input; and from the first
    # layer W_1ᵀ W_1 is enough, the same for all samples.
    (first, slope), *rest = steps
    product = None
    for kernel, after in reversed(rest):
        if product is None:
            product = ops.expand_dims(after, 2) * ops.transpose(kernel)  # (n, codes, units before)
        else:
            product = ops.matmul(product * ops.expand_dims(after, 1), ops.transpose(kernel))
    if product is None:
        return ops.sum(ops.square(slope) * ops.sum(ops.square(first), axis=0), axis=1)
    product = product * ops.expand_dims(slope, 1)
    gram = ops.matmul(ops.transpose(first), first)
    return ops.sum(ops.matmul(product, gram) * product, axis=(1, 2))


def _flat(encoder):
    """The layers in their order, those of nested models in place."""
    for layer in encoder.layers:
        yield from _flat(layer) if isinstance(layer, keras.Sequential) else (layer,)


def _check_layers(encoder):
    if not isinstance(encoder, keras.Sequential):
        raise InputError(
            f"Expected encoder to be a keras.Sequential. Received: {type(encoder).__name__}."
        )
    dense = 0
    for layer in _flat(encoder):
        if isinstance(layer, keras.layers.Dense):
            activation = keras.activations.serialize(layer.activation)
            known, what = activation in _SLOPES, f"Dense with the activation {activation}"
            dense += 1
        else:
            known, what = isinstance(layer, _SHAPING), type(layer).__name__
        if not known:
            raise InputError(
                f"Expected an encoder of Dense layers ({', '.join(_SLOPES)}), Flatten and Reshape, "
                f"whose Jacobian is known. Received: {layer.name!r}, {what}."
            )
    if not dense:
        raise InputError("Expected an encoder with a Dense layer. Received: one without.")
