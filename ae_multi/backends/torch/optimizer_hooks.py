"""Optimizer updates in a form that can be recorded.

Keras's optimizers on PyTorch update all weights at once by operations on lists of tensors. In these
updates SGD and Adadelta read the learning rate's value, which would become a constant of the
recording. For these two, the update that Keras defines for all backends is recorded instead.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ae_multi._keras import keras
from ae_multi._keras_internals import (
    adam_moments,
    is_backend_class,
    learning_rate_setting,
    replace_update_step,
    restore_update_step,
    update_step,
)

ops = keras.ops


def wrapped_optimizers(
    optimizer: keras.optimizers.Optimizer | None,
) -> list[keras.optimizers.Optimizer]:
    """Return ``optimizer`` and the optimizers that it wraps."""
    if optimizer is None:  # an encoder, for example, has none
        return []
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", [])]
    return [optimizer, *(wrapped for each in inner for wrapped in wrapped_optimizers(each))]


def why_not_recorded(optimizer: keras.optimizers.Optimizer | None) -> str | None:
    """Return the reason why a step of ``optimizer`` cannot be recorded, or None."""
    for each in wrapped_optimizers(optimizer):
        if isinstance(each, keras.optimizers.LossScaleOptimizer):
            return "LossScaleOptimizer skips steps whose gradients are not finite"
        if isinstance(each, keras.optimizers.Nadam):
            return "Nadam reads its running product in Python"
        if each.gradient_accumulation_steps:
            return "gradient_accumulation_steps updates weights in some steps only"
        if each.use_ema and each.ema_overwrite_frequency:
            return "ema_overwrite_frequency overwrites weights in some steps only"
        if _calls_python(learning_rate_setting(each)):
            return "the learning rate is a Python function"
    return None


class Updates:
    """Context manager that replaces the updates of an optimizer while a step is recorded.

    An optimizer has up to three forms of its update, tried in this order: PyTorch's fused kernel,
    Keras's update of all weights at once, and Keras's definition for one weight at a time.

    Args:
        optimizer: a Keras optimizer, or None.
        fuse: whether to try the fused kernel. Set it to False if a compiler follows, which
            generates its own kernel.
    """

    def __init__(self, optimizer: keras.optimizers.Optimizer | None, fuse: bool) -> None:
        self._forms = {each: update_forms(each, fuse) for each in wrapped_optimizers(optimizer)}
        self._failed: keras.optimizers.Optimizer | None = None

    def __enter__(self) -> None:
        for optimizer in self._forms:
            replace_update_step(optimizer, self._watched(optimizer))

    def __exit__(self, *exception: object) -> None:
        for optimizer in self._forms:
            restore_update_step(optimizer)

    def fall_back(self) -> bool:
        """Select the next form of the update that failed; return whether there was one."""
        failed, self._failed = self._failed, None
        if failed is None or len(self._forms[failed]) == 1:
            return False
        remaining = len(self._forms[failed])
        for optimizer, forms in self._forms.items():  # others of the same class would fail too
            if type(optimizer) is type(failed) and len(forms) == remaining:
                forms.pop(0)
        return True

    def _watched(self, optimizer):
        def update(*arguments):
            try:
                self._forms[optimizer][0](*arguments)
            except RuntimeError:
                self._failed = optimizer
                raise

        return update


class RefuseReading(TorchFunctionMode):
    """Mode that raises RuntimeError if a tensor is converted to NumPy, which is not recorded."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Run ``function`` unless it reads values."""
        if function in (torch.Tensor.numpy, torch.Tensor.__array__, torch.Tensor.tolist):
            raise RuntimeError("Expected an optimizer that does not read tensors' values.")
        return function(*args, **(kwargs or {}))


def _calls_python(learning_rate: Any) -> bool:
    recordable = keras.optimizers.schedules.LearningRateSchedule | keras.Variable
    return callable(learning_rate) and not isinstance(learning_rate, recordable)


def update_forms(optimizer: keras.optimizers.Optimizer, fuse: bool) -> list[Callable[..., Any]]:
    """Return the forms of an optimizer's update, in the order in which they are tried.

    Each is a function of (gradients, variables, learning rate).
    """
    kind = type(optimizer)
    forms: list[Callable[..., Any]] = [lambda *arguments: update_step(kind)(optimizer, *arguments)]
    if not is_backend_class(kind.__module__):
        return forms  # the class has one update for all backends, or is custom
    kinds = keras.optimizers
    public = next(base for base in kind.__mro__ if getattr(kinds, base.__name__, None) is base)
    forms.append(lambda *arguments: update_step(public)(optimizer, *arguments))
    if fuse and issubclass(kind, kinds.Adam) and not optimizer.amsgrad:
        forms.insert(0, lambda *arguments: _fused_adam(optimizer, *arguments))
    return forms


def _fused_adam(optimizer, gradients, variables, learning_rate):
    """Update weights by PyTorch's fused kernel.

    Keras's Adam is w ← w - α m / (√v + ε) with α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ). PyTorch's Adam
    is w ← w - rate / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε). PyTorch's equals Keras's if its rate
    is α and t is infinite. The kernel computes 1 - β₁ and 1 - β₂ in float64.
    """
    weights = [variable.value for variable in variables]
    if {tensor.dtype for tensor in (*weights, *gradients)} != {torch.float32}:
        raise RuntimeError("Expected float32 weights and gradients.")
    moments = adam_moments(optimizer, variables)
    first, second = ([variable.value for variable in group] for group in moments)
    # The kernel ignores strides.
    if not all(tensor.is_contiguous() for tensor in (*weights, *first, *second)):
        raise RuntimeError("Expected contiguous weights.")
    gradients = [gradient.contiguous() for gradient in gradients]
    step = ops.cast(optimizer.iterations + 1, "float32")
    powers = [
        ops.power(ops.cast(beta, "float32"), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    rate = ops.cast(learning_rate, "float32") * ops.sqrt(1 - powers[1]) / (1 - powers[0])
    infinite = torch.full((), torch.inf, device=weights[0].device)
    torch._fused_adam_(
        weights,
        gradients,
        first,
        second,
        [],
        [infinite] * len(weights),
        lr=rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=False,
        maximize=False,
    )
