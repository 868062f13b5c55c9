"""Compilation of recorded steps, to reduce the overhead of Python between operations.

A step of a small network is a few hundred operations of microseconds each, and Python takes about
as long to call one.
"""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

# A recorded step: function of (state, arrays, row) that changes the state in place and returns
# logs.
Step = Callable[[list[torch.Tensor], list[torch.Tensor], torch.Tensor], dict[str, torch.Tensor]]


def scripted(
    step: Any, state: list[torch.Tensor], arrays: list[torch.Tensor], row: torch.Tensor
) -> Step:
    """Compile ``step`` for TorchScript's interpreter, which calls operations without Python.

    A step with the fused Adam runs uncompiled: the tracer omits operations that change lists of
    tensors and return nothing. PyTorch has deprecated TorchScript; a version without it runs every
    step uncompiled.

    Args:
        step: a recorded step, a `torch.fx.GraphModule`.
        state: tensors that the step changes in place; they are restored.
        arrays: the arrays from which the step gathers batches.
        row: indices of one batch.
    """
    if any(node.target is torch.ops.aten._fused_adam_.tensor_lr for node in step.graph.nodes):
        return step
    names: list[str] = []

    class Flat(torch.nn.Module):
        def forward(self, *tensors):
            logs = step(list(tensors[: len(state)]), list(tensors[len(state) : -1]), tensors[-1])
            names[:] = logs
            return tuple(logs.values())

    try:
        with _preserved(state):
            traced = torch.jit.trace(Flat(), (*state, *arrays, row), check_trace=False)
    except (AttributeError, RuntimeError):
        return step

    def run(state, arrays, row):
        return dict(zip(names, traced(*state, *arrays, row), strict=True))

    return run


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
    """Restore the state after the block, and suppress warnings within it."""
    before = [tensor.clone() for tensor in state]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._foreach_copy_(state, before)
