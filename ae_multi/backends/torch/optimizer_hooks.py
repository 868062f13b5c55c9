"""Optimizer updates in a form that can be recorded.

Keras's optimizers on PyTorch update all weights at once by operations on lists. SGD and Adadelta
read the learning rate's value for that, which a recording would keep for ever. Then the update that
Keras defines for every backend is recorded instead.
"""

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


def wrapped_optimizers(optimizer):
    """List ``optimizer`` and those that it hands gradients to."""
    if optimizer is None:  # a part of a model has none
        return []
    inner = [getattr(optimizer, "inner_optimizer", None), *getattr(optimizer, "optimizers", [])]
    return [optimizer, *(found for each in inner for found in wrapped_optimizers(each))]


def why_not_recorded(optimizer):
    """Return the reason why a step of ``optimizer`` takes Python each time, or None."""
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
    """The updates of an optimizer while a step is recorded, each in a form that can be recorded.

    An optimizer has up to three forms, tried in this order: PyTorch's fused kernel, Keras's update
    of all weights at once, and Keras's definition, weight by weight.

    Args:
        optimizer: a Keras optimizer, or None.
        fuse: whether to try the fused kernel; a compiler makes one of its own.
    """

    def __init__(self, optimizer, fuse):
        self._forms = {each: update_forms(each, fuse) for each in wrapped_optimizers(optimizer)}
        self._failed = None

    def __enter__(self):
        for optimizer in self._forms:
            replace_update_step(optimizer, self._watched(optimizer))

    def __exit__(self, *exception):
        for optimizer in self._forms:
            restore_update_step(optimizer)

    def fall_back(self):
        """Take the next form of the update that failed; return whether there was one."""
        failed, self._failed = self._failed, None
        if failed is None or len(self._forms[failed]) == 1:
            return False
        left = len(self._forms[failed])
        for optimizer, forms in self._forms.items():  # others of the same class would fail, too
            if type(optimizer) is type(failed) and len(forms) == left:
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
    """Raises RuntimeError where a tensor is converted to NumPy, which a recording cannot see."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        """Run ``function`` unless it reads values."""
        if function in (torch.Tensor.numpy, torch.Tensor.__array__, torch.Tensor.tolist):
            raise RuntimeError("Expected an optimizer that does not read tensors' values.")
        return function(*args, **(kwargs or {}))


def _calls_python(learning_rate):
    plain = keras.optimizers.schedules.LearningRateSchedule | keras.Variable
    return callable(learning_rate) and not isinstance(learning_rate, plain)


def update_forms(optimizer, fuse):
    """List the forms of an optimizer's update, functions of (gradients, variables, rate)."""
    own = type(optimizer)
    forms = [lambda *arguments: update_step(own)(optimizer, *arguments)]
    if not is_backend_class(own.__module__):
        return forms  # it has the update of every backend, or the user's
    kinds = keras.optimizers
    public = next(kind for kind in own.__mro__ if getattr(kinds, kind.__name__, None) is kind)
    forms.append(lambda *arguments: update_step(public)(optimizer, *arguments))
    if fuse and issubclass(own, kinds.Adam) and not optimizer.amsgrad:
        forms.insert(0, lambda *arguments: _fused_adam(optimizer, *arguments))
    return forms


def _fused_adam(optimizer, gradients, variables, learning_rate):
    """Update by PyTorch's fused kernel.

    Keras's Adam is w ← w - α m / (√v + ε) with α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ); PyTorch's is
    w ← w - rate / (1 - β₁ᵗ) · m / (√v / √(1 - β₂ᵗ) + ε). With α for the rate and an infinite t,
    the second is the first. The kernel takes 1 - β₁ and 1 - β₂ in float64.
    """
    weights = [variable.value for variable in variables]
    if {tensor.dtype for tensor in (*weights, *gradients)} != {torch.float32}:
        raise RuntimeError("Expected float32 weights and gradients.")
    moments = adam_moments(optimizer, variables)
    first, second = ([variable.value for variable in group] for group in moments)
    # The kernel goes through memory in order.
    if not all(tensor.is_contiguous() for tensor in (*weights, *first, *second)):
        raise RuntimeError("Expected contiguous weights.")
    gradients = [gradient.contiguous() for gradient in gradients]
    step = ops.cast(optimizer.iterations + 1, "float32")
    powers = [
        ops.power(ops.cast(beta, "float32"), step) for beta in (optimizer.beta_1, optimizer.beta_2)
    ]
    rate = ops.cast(learning_rate, "float32") * ops.sqrt(1 - powers[1]) / (1 - powers[0])
    endless = torch.full((), torch.inf, device=weights[0].device)
    torch._fused_adam_(
        weights,
        gradients,
        first,
        second,
        [],
        [endless] * len(weights),
        lr=rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        weight_decay=0.0,
        eps=optimizer.epsilon,
        amsgrad=False,
        maximize=False,
    )
