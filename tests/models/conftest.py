"""Fixtures of the tests of models."""

import pytest

from tests.reference.autoencoders import models


@pytest.fixture(params=["simple", "deep", "conv", "own"])
def model(request, keras):
    """Compiled model of one of four designs with images of shape (8, 8, 1)."""
    compiled = models(keras)[request.param]
    compiled.compile()
    return compiled
