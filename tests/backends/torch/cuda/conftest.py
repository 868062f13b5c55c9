"""Fixtures of the tests of CUDA."""

import pytest


@pytest.fixture
def fake_cuda(torch, monkeypatch):
    """Replace CUDA graphs and streams of PyTorch by `tests.reference.cuda_graphs`, on a CPU."""
    from tests.reference import cuda_graphs

    cuda_graphs.pretend(monkeypatch)
    return cuda_graphs
