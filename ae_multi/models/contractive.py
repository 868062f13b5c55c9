"""A contractive autoencoder: small changes of the input change its codes little."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.layered import LayeredAutoencoder, check_choice, check_weight

ops = keras.ops

# The derivative of each activation as a function of its output h.
_DERIVATIVES = {
    "sigmoid": lambda h: h * (1 - h),
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: ops.cast(h > 0, h.dtype),
    "elu": lambda h: 1 + ops.minimum(h, 0),
    "linear": ops.ones_like,
}
_RESHAPING_LAYERS = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)
_BATCH_SIZE = 1024  # of `squared_jacobian`


@keras.saving.register_keras_serializable("ae_multi")
class ContractiveAutoencoder(LayeredAutoencoder):
    r"""Autoencoder with a penalty on the Jacobian of its encoder.

    Rifai, Vincent, Muller, Glorot & Bengio, "Contractive auto-encoders", ICML 2011: with J(x) the
    Jacobian of the codes with respect to the inputs and D values in a sample,

        loss + strength / D · mean ||J(x)||²_F,

    where strength is the paper's λ; the factor 1 / D is there because the loss is a mean over the
    values of a sample. For one layer, h = sigmoid(x W + b), the penalty is
    ||J||² = Σ_j (h_j (1 - h_j))² Σ_i W_ij². For several layers, J = S_k W_kᵀ ⋯ S_1 W_1ᵀ with S_i
    the diagonal matrix of the activation derivatives. This is exact, at the cost of a
    (codes, widest hidden layer) matrix per sample. The paper ties the decoder weights to the
    encoder weights. Here they are independent, so that a large decoder can compensate a small W.

    Args:
        strength: weight λ of the penalty, at least 0.
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: size of the code, whose activation is a sigmoid.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend; None keeps the
            weights of a custom encoder and decoder.
        encoder: custom encoder instead of the dense one: a `keras.Sequential` of a `keras.Input`,
            Flatten, Reshape and Dense layers with sigmoid, tanh, relu, elu or linear activations.
            The Jacobian of other layers is not implemented.
        decoder: custom decoder of any layers; required with ``encoder``.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any.
        activation: name of the hidden layers' activation in the dense encoder and decoder, one of
            those above.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or the inputs of the custom encoder. Outputs
        have the same shape.

    Raises:
        InputError: ``strength`` is negative, the custom encoder has other layers, a size is below
            1, only one of ``encoder`` and ``decoder`` is given, or ``seed`` is not an integer
            from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        strength: float = 0.1,
        hidden: Sequence[int] = (),
        latent_dim: int = 64,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int | None = 0,
        encoder: keras.Sequential | None = None,
        decoder: keras.Model | None = None,
        value_range: tuple[float, float] | None = None,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
        strength = check_weight("strength", strength)
        activation = check_choice("activation", activation, tuple(_DERIVATIVES))
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

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the sum of the compiled loss and the penalty."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        weight = self.strength / math.prod(self.encoder.input_shape[1:])
        return loss + ops.multiply(ops.mean(_squared_jacobian(self.encoder, x)), weight)

    def squared_jacobian(self, x: ArrayLike) -> np.ndarray:
        """Return ||J(x)||²_F, the squared norm of the Jacobian, for each sample: float32 (n,)."""
        x = np.asarray(self._check(x))
        batches = [x[start : start + _BATCH_SIZE] for start in range(0, len(x), _BATCH_SIZE)]
        norms = [_squared_jacobian(self.encoder, ops.convert_to_tensor(batch)) for batch in batches]
        return np.concatenate([ops.convert_to_numpy(batch) for batch in norms])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "strength": self.strength}


def _squared_jacobian(encoder: keras.Sequential, x: Any) -> Any:
    """Return ||J||²_F of each sample as a tensor (n,)."""
    outputs = x
    steps: list[tuple[Any, Any]] = []
    for layer in _flat(encoder):
        outputs = layer(outputs)
        if isinstance(layer, keras.layers.Dense):
            derivative = _DERIVATIVES[keras.activations.serialize(layer.activation)](outputs)
            kernel = ops.convert_to_tensor(layer.kernel)
            steps.append((kernel, ops.cast(derivative, kernel.dtype)))  # from half precision
    # The product starts at the codes, so that no matrix is as wide as the input. The first layer
    # enters as W_1ᵀ W_1, which is the same for all samples.
    (first_kernel, first_derivative), *rest = steps
    product = None
    for kernel, derivative in reversed(rest):
        if product is None:
            product = ops.expand_dims(derivative, 2) * ops.transpose(kernel)  # (n, codes, units)
        else:
            product = ops.matmul(product * ops.expand_dims(derivative, 1), ops.transpose(kernel))
    if product is None:
        return ops.sum(ops.square(first_derivative) * ops.sum(ops.square(first_kernel), 0), axis=1)
    product = product * ops.expand_dims(first_derivative, 1)
    gram = ops.matmul(ops.transpose(first_kernel), first_kernel)
    return ops.sum(ops.matmul(product, gram) * product, axis=(1, 2))


def _flat(encoder: keras.Sequential) -> Iterator[keras.layers.Layer]:
    """Yield the layers in order, with nested models replaced by their layers."""
    for layer in encoder.layers:
        yield from _flat(layer) if isinstance(layer, keras.Sequential) else (layer,)


def _check_layers(encoder: Any) -> None:
    """Raise `InputError` unless the Jacobian of every layer of ``encoder`` is implemented."""
    if not isinstance(encoder, keras.Sequential):
        raise InputError(
            f"Expected encoder to be a keras.Sequential. Received: {type(encoder).__name__}."
        )
    dense = 0
    for layer in _flat(encoder):
        if isinstance(layer, keras.layers.Dense):
            activation = keras.activations.serialize(layer.activation)
            supported = activation in _DERIVATIVES
            description = f"Dense with the activation {activation}"
            dense += 1
        else:
            supported, description = isinstance(layer, _RESHAPING_LAYERS), type(layer).__name__
        if not supported:
            raise InputError(
                f"Expected an encoder of Dense layers ({', '.join(_DERIVATIVES)}), Flatten and "
                f"Reshape, whose Jacobian is known. Received: {layer.name!r}, {description}."
            )
    if not dense:
        raise InputError("Expected an encoder with a Dense layer. Received: one without.")
