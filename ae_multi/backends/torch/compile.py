"""Compilation of recorded steps, to reduce the overhead of Python between operations.

A step of a small network is a few hundred operations of microseconds each, and Python takes about
as long to call one.
"""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import torch

# A recorded step: function of (state, arrays, row) that changes the state in place and returns
# logs.
Step = Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor], dict[str, torch.Tensor]]


def scripted(
    step: Any, state: list[torch.Tensor], arrays: list[torch.Tensor], row: torch.Tensor
) -> Step:
    """Compile ``step`` for TorchScript's interpreter, which calls operations without Python.

    PyTorch has deprecated TorchScript. A version without it runs the step uncompiled.

    Args:
        step: a recorded step, a `torch.fx.GraphModule`.
        state: tensors that the step changes in place; they are restored.
        arrays: the arrays from which the step gathers batches.
        row: indices of one batch.
    """
    names: list[str] = []

    class Flat(torch.nn.Module):
        def forward(self, *tensors):
            logs = step(list(tensors[: len(state)]), list(tensors[len(state) : -1]), tensors[-1])
            names[:] = logs
            return tuple(logs.values())

    plain = step
    try:
        with _preserved(state):
            step = _with_traceable_adam(plain)
            traced = torch.jit.trace(Flat(), (*state, *arrays, row), check_trace=False)
    except (AttributeError, RuntimeError):
        return plain

    def run(state, arrays, row):
        return dict(zip(names, traced(*state, *arrays, row), strict=True))

    return run


def _with_traceable_adam(step: Any) -> Any:
    """Return a copy of ``step`` in which TorchScript's tracer records the fused Adam.

    The tracer omits operations that change lists of tensors and return nothing.
    """
    module = copy.deepcopy(step)
    for node in module.graph.nodes:
        if node.target is torch.ops.aten._fused_adam_.tensor_lr:
            weights, gradients, first, second, _, steps = node.args
            numbers = [node.kwargs[name] for name in ("lr", "beta1", "beta2", "eps")]
            node.target = _adam()
            node.args, node.kwargs = (weights, gradients, first, second, steps, *numbers), {}
    module.recompile()
    return module


@cache
def _adam() -> Any:
    def adam(
        weights: list[torch.Tensor],
        gradients: list[torch.Tensor],
        first: list[torch.Tensor],
        second: list[torch.Tensor],
        steps: list[torch.Tensor],
        rate: torch.Tensor,
        beta1: float,
        beta2: float,
        epsilon: float,
    ) -> torch.Tensor:
        torch._fused_adam_(
            weights,
            gradients,
            first,
            second,
            [],
            steps,
            lr=rate,
            beta1=beta1,
            beta2=beta2,
            weight_decay=0.0,
            eps=epsilon,
            amsgrad=False,
            maximize=False,
        )
        return rate  # the tracer requires a returned tensor

    return torch.jit.script(adam)


def inducted(
    step: Any, state: list[torch.Tensor], arrays: list[torch.Tensor], row: torch.Tensor
) -> Step:
    """Compile ``step`` by Inductor; see `scripted` for the arguments."""
    compiled = torch.compile(step, fullgraph=True, dynamic=False)
    with _preserved(state):
        compiled(state, arrays, row)
    return compiled


@contextlib.contextmanager
def _preserved(state: list[torch.Tensor]) -> Iterator[None]:
    """Restore the state afterwards, and ignore PyTorch's warnings about its own code."""
    before = [tensor.clone() for tensor in state]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._foreach_copy_(state, before)
