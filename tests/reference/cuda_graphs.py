"""CUDA graphs on a CPU: operations are recorded, and a replay repeats them."""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Noting(TorchDispatchMode):
    def __init__(self, calls):
        super().__init__()
        self._calls = calls

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        outputs = operation(*args, **(kwargs or {}))
        self._calls.append((operation, args, kwargs or {}, outputs))
        return outputs


class Graph:
    """Stand-in for `torch.cuda.CUDAGraph`, which reads and writes the captured memory."""

    replays = 0

    def __init__(self):
        self.calls = []

    @torch.no_grad()
    def replay(self):
        type(self).replays += 1
        for operation, args, kwargs, outputs in self.calls:
            made = operation(*args, **kwargs)
            for there, now in zip(tree_leaves(outputs), tree_leaves(made), strict=True):
                if there is not None and there.data_ptr() != now.data_ptr():
                    there.copy_(now)


class Stream:
    """A stream that records for which others it waits."""

    def __init__(self):
        self.waited_for = []

    def wait_stream(self, other):
        self.waited_for.append(other)


def pretend(monkeypatch):
    """Replace CUDA graphs and streams in PyTorch."""
    current = Stream()
    monkeypatch.setattr(Graph, "replays", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: _Noting(graph.calls))
