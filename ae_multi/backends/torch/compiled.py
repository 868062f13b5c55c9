"""A recorded step, run with less between its operations than Python takes.

A step of a small network is a few hundred operations of microseconds, and Python takes about as
long to call one.
"""

import contextlib
import warnings

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

    try:
        with _aside(state):
            traced = torch.jit.trace(Flat(), (*state, *arrays, row), check_trace=False)
    except (AttributeError, RuntimeError):
        return step

    def run(state, arrays, row):
        return dict(zip(names, traced(*state, *arrays, row), strict=True))

    return run


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
