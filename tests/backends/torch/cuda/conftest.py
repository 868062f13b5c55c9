"""Fixtures of the tests of CUDA."""

import pytest


@pytest.fixture
def pretended(torch, monkeypatch):
    """The module of CUDA graphs on a processor, which PyTorch takes for its own."""
    from tests.reference import cuda_graphs

    cuda_graphs.pretend(monkeypatch)
    return cuda_graphs
