"""CUDA graphs on a CPU: operations are recorded, and a replay repeats them."""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Recorder(TorchDispatchMode):
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
            results = operation(*args, **kwargs)
            for captured, result in zip(tree_leaves(outputs), tree_leaves(results), strict=True):
                if captured is not None and captured.data_ptr() != result.data_ptr():
                    captured.copy_(result)


class Stream:
    """Stand-in for `torch.cuda.Stream` that records the streams that it waits for."""

    def __init__(self):
        self.waited_for = []

    def wait_stream(self, other):
        self.waited_for.append(other)


def pretend(monkeypatch):
    """Replace PyTorch's CUDA graphs and streams by the stand-ins."""
    current = Stream()
    monkeypatch.setattr(Graph, "replays", 0)
    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: current)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", lambda graph: _Recorder(graph.calls))
