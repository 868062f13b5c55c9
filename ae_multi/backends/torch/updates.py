"""An optimizer's update as a recording wants it: of all weights in one pass, or one by one."""

import torch

from ae_multi._keras import keras
from ae_multi.backends.updating import adam_state, is_adam

ops = keras.ops


def fused(optimizer):
    """The update by PyTorch's fused kernel, for an optimizer that it has one for, or None.

    Keras's Adam is w ← w - α m / (√v + ε) with α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ); PyTorch's is
    w ← w - rate / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε). Given α for the rate and an endless t,
    the second is the first.
    """
    if not is_adam(optimizer):
        return None

    def update(gradients, variables, learning_rate):
        weights = [variable.value for variable in variables]
        if {tensor.dtype for tensor in (*weights, *gradients)} != {torch.float32}:
            raise RuntimeError("Expected float32 weights and gradients.")
        first, second, powers = adam_state(optimizer, variables)
        # The kernel goes through memory as it lies.
        if not all(tensor.is_contiguous() for tensor in (*weights, *first, *second)):
            raise RuntimeError("Expected weights that lie in memory in order.")
        gradients = [gradient.contiguous() for gradient in gradients]
        rate = ops.cast(learning_rate, "float32") * ops.sqrt(1 - powers[1]) / (1 - powers[0])
        endless = torch.full((), torch.inf, device=weights[0].device)
        torch._fused_adam_(
            weights, gradients, first, second, [], [endless] * len(weights), lr=rate,
            beta1=optimizer.beta_1, beta2=optimizer.beta_2, weight_decay=0.0,
            eps=optimizer.epsilon, amsgrad=False, maximize=False,
        )  # fmt: skip

    return update


def one_by_one(optimizer):
    """The update as Keras defines it, weight by weight, without PyTorch's operations on lists."""

    def update(gradients, variables, learning_rate):
        for gradient, variable in zip(gradients, variables, strict=True):
            optimizer.update_step(gradient, variable, learning_rate)

    return update
