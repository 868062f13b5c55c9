"""A sparse autoencoder: many codes, of which each input uses few."""

import math

from ae_multi._keras import keras
from ae_multi.errors import InputError
from ae_multi.models.layered import LayeredAutoencoder, check_choice, check_weight, widened
from ae_multi.validation import as_plain, check_size

ops = keras.ops

# The activation that makes a dense code fit each form, and what weight the penalty has unless
# told otherwise: on images of digits most codes rest, and the error hardly grows.
_ACTIVATIONS = {"l1": "relu", "kl": "sigmoid", "top_k": None}
_STRENGTHS = {"l1": 0.1, "kl": 1.0, "top_k": 0.0}


@keras.saving.register_keras_serializable("ae_multi")
class SparseAutoencoder(LayeredAutoencoder):
    r"""An autoencoder whose codes are mostly 0, or mostly near it.

    With D values in a sample and the loss a mean over them, the penalties are divided by D, so
    that ``strength`` is the papers', where errors are summed over a sample:

    "l1"     loss + strength / D · mean Σ_j |h_j|, rectified codes
    "kl"     loss + strength / D · Σ_j KL(ρ || ρ̂_j), ρ̂_j the batch's mean of h_j, sigmoid codes:
             KL = ρ log(ρ / ρ̂) + (1 - ρ) log((1 - ρ) / (1 - ρ̂)) (Lee, Ekanadham & Ng, NIPS 2007,
             in the form of Ng, CS294A lecture notes, 2011)
    "top_k"  no penalty: all but the k largest codes of a sample are set to 0 (Makhzani & Frey,
             "k-sparse autoencoders", arXiv:1312.5663, 2013), linear codes; codes that are equal
             to the k-th largest stay too

    Args:
        sparsity: "l1", "kl" or "top_k".
        strength: weight of the penalty, at least 0; by default 0.1 for "l1" and 1 for "kl".
        target: ρ, the mean activation that "kl" asks of each code, above 0 and below 1.
        k: how many codes of a sample "top_k" keeps, at most as many as there are.
        hidden: sizes of the encoder's hidden layers; the decoder's are mirrored.
        latent_dim: size of the code; it may be larger than the input.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend; None keeps the
            weights of own parts as they come.
        encoder: own encoder that begins with a `keras.Input`, in place of the dense one. For "kl"
            its codes have to be in [0, 1].
        decoder: own decoder, with it.
        value_range: (lowest, highest) value that inputs of own parts may have, or None for any.
        activation: name of the hidden layers' activation, where parts are not own.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or what the own encoder takes. Outputs have
        the same shape.

    Raises:
        InputError: an unknown form of sparsity, a strength, target or k out of range, sizes below
            1, one part without the other, or a seed that is no integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        sparsity="l1",
        strength=None,
        target=0.05,
        k=16,
        hidden=(),
        latent_dim=128,
        input_shape=(28, 28, 1),
        seed=0,
        encoder=None,
        decoder=None,
        value_range=None,
        activation="relu",
        **kwargs,
    ):
        sparsity = check_choice("sparsity", sparsity, tuple(_ACTIVATIONS))
        target, k = as_plain(target), as_plain(k)
        strength = check_weight("strength", _STRENGTHS[sparsity] if strength is None else strength)

        def sparse(shape):
            if sparsity == "top_k":
                return TopK(k, name="top_k")
            weight = strength / math.prod(shape)
            if sparsity == "l1":
                return L1Penalty(weight, name="l1_penalty")
            return KLPenalty(weight, target, name="kl_penalty")

        super().__init__(
            hidden,
            latent_dim,
            input_shape,
            seed,
            encoder,
            decoder,
            value_range,
            behind=sparse,
            activation=activation,
            code_activation=_ACTIVATIONS[sparsity],
            **kwargs,
        )
        self.sparsity, self.strength, self.target, self.k = sparsity, strength, target, k

    def get_config(self):
        """The arguments, for saving."""
        names = ("sparsity", "strength", "target", "k")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Penalty(keras.layers.Layer):
    """Passes codes on, and adds ``weight`` times their penalty to the loss."""

    def __init__(self, weight, **kwargs):
        super().__init__(**kwargs)
        self.weight = check_weight("weight", weight)

    def call(self, inputs):
        self.add_loss(ops.multiply(self.penalty(widened(inputs)), self.weight))
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("ae_multi")
class L1Penalty(_Penalty):
    r"""Adds weight · mean over samples of Σ_j |h_j| to the loss, for codes (n, \*code shape)."""

    def penalty(self, codes):
        """The mean of the codes' absolute sums."""
        axes = tuple(range(1, len(codes.shape)))
        return ops.mean(ops.sum(ops.abs(codes), axis=axes))


@keras.saving.register_keras_serializable("ae_multi")
class KLPenalty(_Penalty):
    r"""Adds weight · Σ_j KL(target || mean over samples of h_j), for codes (n, \*code shape)."""

    def __init__(self, weight, target=0.05, **kwargs):
        super().__init__(weight, **kwargs)
        target = as_plain(target)
        if not isinstance(target, int | float) or not 0 < target < 1:
            raise InputError(f"Expected target above 0 and below 1. Received: {target!r}.")
        self.target = float(target)

    def penalty(self, codes):
        """The sum of the codes' divergences."""
        # A code that has died, or never rests, has a finite divergence and a way back.
        small = keras.config.epsilon()
        mean = ops.clip(ops.mean(codes, axis=0), small, 1 - small)
        rho = self.target
        on = rho * (math.log(rho) - ops.log(mean))
        off = (1 - rho) * (math.log(1 - rho) - ops.log(1 - mean))
        return ops.sum(on + off)

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "target": self.target}


@keras.saving.register_keras_serializable("ae_multi")
class TopK(keras.layers.Layer):
    """Keeps the ``k`` largest of a sample's codes, (n, codes), and sets the others to 0."""

    def __init__(self, k, **kwargs):
        super().__init__(**kwargs)
        self.k = check_size("k", k)

    def build(self, input_shape):
        """See that there are as many codes."""
        if len(input_shape) != 2 or input_shape[-1] < self.k:
            raise InputError(
                f"Expected codes (n, codes) with at least k = {self.k} of them. "
                f"Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def call(self, inputs):
        """``inputs`` with all but the largest at 0."""
        least = ops.top_k(inputs, self.k)[0][:, -1:]  # (n, 1)
        return ops.where(inputs >= least, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape):
        """The shape of ``inputs``."""
        return input_shape

    def get_config(self):
        """The arguments, for saving."""
        return {**super().get_config(), "k": self.k}
