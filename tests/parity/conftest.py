"""Fixtures of the tests of parity."""

import numpy as np
import pytest

from tests.reference.traces import trace


@pytest.fixture
def traces():
    return {"torch": trace(np.float32), "jax": trace(np.float32)}
