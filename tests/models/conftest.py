"""Fixtures of the tests of models."""

import pytest

from tests.reference.autoencoders import models


@pytest.fixture(params=["simple", "deep", "conv", "own"])
def model(request, keras):
    made = models(keras)[request.param]
    made.compile()
    return made
