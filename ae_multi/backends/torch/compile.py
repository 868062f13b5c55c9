"""A recorded step, run with less between its operations than Python takes.

A step of a small network is a few hundred operations of microseconds, and Python takes about as
long to call one.
"""

import contextlib
import copy
import warnings
from functools import cache

import torch


def scripted(step, state, arrays, row):
    """``step`` run by TorchScript's interpreter, which calls operations without Python.

    PyTorch has put TorchScript on its way out; a version without it runs the step as it is.

    Args:
        step: a recorded step, function of (state, arrays, row) that returns logs.
        state: tensors that it changes in place; they are put back.
        arrays: the data it takes batches from.
        row: indices of one batch.
    """
    names = []

    class Flat(torch.nn.Module):
        def forward(self, *tensors):
            logs = step(list(tensors[: len(state)]), list(tensors[len(state) : -1]), tensors[-1])
            names[:] = logs
            return tuple(logs.values())

    plain = step
    try:
        with _aside(state):
            step = _with_traceable_adam(plain)
            traced = torch.jit.trace(Flat(), (*state, *arrays, row), check_trace=False)
    except (AttributeError, RuntimeError):
        return plain

    def run(state, arrays, row):
        return dict(zip(names, traced(*state, *arrays, row), strict=True))

    return run


def _with_traceable_adam(step):
    """A copy of ``step`` that calls the fused Adam so that TorchScript's tracer sees it.

    It overlooks an operation that changes lists of tensors and gives nothing.
    """
    made = copy.deepcopy(step)
    for node in made.graph.nodes:
        if node.target is torch.ops.aten._fused_adam_.tensor_lr:
            weights, gradients, first, second, _, steps = node.args
            numbers = [node.kwargs[name] for name in ("lr", "beta1", "beta2", "eps")]
            node.target = _adam()
            node.args, node.kwargs = (weights, gradients, first, second, steps, *numbers), {}
    made.recompile()
    return made


@cache
def _adam():
    T, Ts = torch.Tensor, list[torch.Tensor]  # noqa: N806

    def adam(
        weights: Ts,
        gradients: Ts,
        first: Ts,
        second: Ts,
        steps: Ts,
        rate: T,
        beta1: float,
        beta2: float,
        epsilon: float,
    ) -> T:
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
        return rate  # the tracer wants a tensor

    return torch.jit.script(adam)


def inducted(step, state, arrays, row):
    """``step`` compiled by Inductor; the arguments are those of `scripted`."""
    made = torch.compile(step, fullgraph=True, dynamic=False)
    with _aside(state):
        made(state, arrays, row)
    return made


@contextlib.contextmanager
def _aside(state):
    """Put the state back afterwards, and leave out what PyTorch says to its own use of itself."""
    before = [tensor.clone() for tensor in state]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch._foreach_copy_(state, before)
