"""Fixtures for the tests of CUDA optimizations."""

import pytest


@pytest.fixture
def fake_cuda(torch, monkeypatch):
    """Replace CUDA graphs and streams by those of `tests.reference.cuda_graphs`, on a CPU."""
    from tests.reference import cuda_graphs

    cuda_graphs.pretend(monkeypatch)
    return cuda_graphs
