"""CUDA graphs on a processor: what is captured is every operation, and a replay runs it again."""

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
    """As `torch.cuda.CUDAGraph`: it reads and writes the memory that it was captured on."""

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
    """A stream that is never behind; it notes for which others it has waited."""

    def __init__(self):
        self.waited_for = []

    def wait_stream(self, other):
        self.waited_for.append(other)


def pretend(monkeypatch):
    """Let PyTorch capture graphs on a processor."""
    current = Stream()
    monkeypatch.setattr(Graph, "replays", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: _Noting(graph.calls))
