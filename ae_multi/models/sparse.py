"""A sparse autoencoder: each input activates only a few of many codes."""

import math
from collections.abc import Sequence
from typing import Any

from ae_multi._keras import keras
from ae_multi.argument_checks import as_plain, check_size
from ae_multi.errors import InputError
from ae_multi.models.layered import LayeredAutoencoder, check_choice, check_weight, widened
from ae_multi.workers.splitting import mean_over_batch

ops = keras.ops

# The code activation that each form of sparsity needs, and the default weight of its penalty. With
# these weights most codes of images of digits are inactive and the error hardly grows.
_ACTIVATIONS = {"l1": "relu", "kl": "sigmoid", "top_k": None}
_STRENGTHS = {"l1": 0.1, "kl": 1.0, "top_k": 0.0}


@keras.saving.register_keras_serializable("ae_multi")
class SparseAutoencoder(LayeredAutoencoder):
    r"""Autoencoder whose codes are mostly 0 or close to 0.

    The loss is a mean over the D values of a sample. The penalties are divided by D, so that
    ``strength`` is that of the papers, where errors are summed over a sample:

    "l1"     loss + strength / D · mean Σ_j |h_j|, rectified codes
    "kl"     loss + strength / D · Σ_j KL(ρ || ρ̂_j), ρ̂_j the batch mean of h_j, sigmoid codes:
             KL = ρ log(ρ / ρ̂) + (1 - ρ) log((1 - ρ) / (1 - ρ̂)) (Lee, Ekanadham & Ng, NIPS 2007,
             in the form of Ng, CS294A lecture notes, 2011)
    "top_k"  no penalty: all but the k largest codes of a sample are set to 0 (Makhzani & Frey,
             "k-sparse autoencoders", arXiv:1312.5663, 2013), linear codes; codes equal to the
             k-th largest are kept too

    Args:
        sparsity: "l1", "kl" or "top_k".
        strength: weight of the penalty, at least 0; by default 0.1 for "l1" and 1 for "kl".
        target: ρ, the target mean activation of each code for "kl", above 0 and below 1.
        k: number of codes per sample that "top_k" keeps, at most the size of the code.
        hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
        latent_dim: size of the code; it may be larger than the input.
        input_shape: shape of one sample: an image with or without a channel axis, or a vector.
        seed: integer that fixes initial weights and batch order on every backend; None keeps the
            weights of a custom encoder and decoder.
        encoder: custom encoder that begins with a `keras.Input`, instead of the dense one. For
            "kl" its codes must be in [0, 1].
        decoder: custom decoder; required with ``encoder``.
        value_range: (lowest, highest) allowed value of the inputs of a custom encoder, or None
            for any.
        activation: name of the hidden layers' activation in the dense encoder and decoder.

    Inputs:
        values in [0, 1] of shape (n, \*input_shape), or the inputs of the custom encoder. Outputs
        have the same shape.

    Raises:
        InputError: ``sparsity`` is unknown; ``strength``, ``target`` or ``k`` is out of range; a
            size is below 1; only one of ``encoder`` and ``decoder`` is given; or ``seed`` is not
            an integer from 0 to 2**64 - 1.
    """

    def __init__(
        self,
        sparsity: str = "l1",
        strength: float | None = None,
        target: float = 0.05,
        k: int = 16,
        hidden: Sequence[int] = (),
        latent_dim: int = 128,
        input_shape: Sequence[int] | int = (28, 28, 1),
        seed: int | None = 0,
        encoder: keras.Model | None = None,
        decoder: keras.Model | None = None,
        value_range: tuple[float, float] | None = None,
        activation: str = "relu",
        **kwargs: Any,
    ) -> None:
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
            after=sparse,
            activation=activation,
            code_activation=_ACTIVATIONS[sparsity],
            **kwargs,
        )
        self.sparsity, self.strength, self.target, self.k = sparsity, strength, target, k

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        names = ("sparsity", "strength", "target", "k")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


class _Penalty(keras.layers.Layer):
    """Layer that returns its inputs and adds ``weight`` times their penalty to the loss.

    A subclass implements ``penalty``, from codes in at least float32 to a scalar tensor.
    """

    def __init__(self, weight: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weight = check_weight("weight", weight)

    def call(self, inputs: Any) -> Any:
        self.add_loss(ops.multiply(self.penalty(widened(inputs)), self.weight))
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self.weight}


@keras.saving.register_keras_serializable("ae_multi")
class L1Penalty(_Penalty):
    r"""Add weight · mean over samples of Σ_j |h_j| to the loss, for codes (n, \*code shape)."""

    def penalty(self, codes: Any) -> Any:
        """Return the mean over samples of the sum of absolute codes."""
        axes = tuple(range(1, len(codes.shape)))
        return ops.mean(ops.sum(ops.abs(codes), axis=axes))


@keras.saving.register_keras_serializable("ae_multi")
class KLPenalty(_Penalty):
    r"""Add weight · Σ_j KL(target || batch mean of h_j) to the loss, for codes (n, \*code shape).

    Args:
        weight: weight of the penalty, at least 0.
        target: target mean activation of each code, above 0 and below 1.
    """

    def __init__(self, weight: float, target: float = 0.05, **kwargs: Any) -> None:
        super().__init__(weight, **kwargs)
        target = as_plain(target)
        if not isinstance(target, int | float) or not 0 < target < 1:
            raise InputError(f"Expected target above 0 and below 1. Received: {target!r}.")
        self.target = float(target)

    def penalty(self, codes: Any) -> Any:
        """Return the sum over codes of the divergence of their batch mean from the target."""
        # Clipping keeps the divergence finite for codes that are always 0 or always 1.
        epsilon = keras.config.epsilon()
        mean = ops.clip(mean_over_batch(codes), epsilon, 1 - epsilon)
        rho = self.target
        on = rho * (math.log(rho) - ops.log(mean))
        off = (1 - rho) * (math.log(1 - rho) - ops.log(1 - mean))
        return ops.sum(on + off)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "target": self.target}


@keras.saving.register_keras_serializable("ae_multi")
class TopK(keras.layers.Layer):
    """Keep the ``k`` largest codes of each sample, (n, codes), and set the others to 0."""

    def __init__(self, k: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.k = check_size("k", k)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Check that the inputs have at least ``k`` codes, or raise `InputError`."""
        if len(input_shape) != 2 or (input_shape[-1] or 0) < self.k:
            raise InputError(
                f"Expected codes (n, codes) with at least k = {self.k} of them. "
                f"Received: shape {tuple(input_shape)}."
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """Return ``inputs`` with all but the ``k`` largest codes set to 0."""
        threshold = ops.top_k(inputs, self.k)[0][:, -1:]  # (n, 1)
        return ops.where(inputs >= threshold, inputs, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return ``input_shape``."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor arguments."""
        return {**super().get_config(), "k": self.k}
