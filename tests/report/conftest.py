"""Fixtures of the tests of reports."""

import io

import numpy as np
import pytest

from ae_multi.compare import CompareConfig, Comparison
from ae_multi.compare.agreement import agreement
from ae_multi.report.tables import PlainConsole
from tests.reference.comparisons import result_of


@pytest.fixture
def comparison():
    """Return a comparison of two models on two backends, with results and images."""
    images = np.random.default_rng(0).random((10, 28, 28, 1), np.float32)
    models, backends = ("simple", "deep"), ("torch", "jax")
    results = [result_of(model, backend) for model in models for backend in backends]
    return Comparison(
        data={
            "name": "digits",
            "source": "a test",
            "train_images": 1437,
            "test_images": 360,
            "mean_image_mse": 0.0675,
        },
        settings=CompareConfig(),
        results=results,
        agreement={m: agreement([r for r in results if r["model"] == m]) for m in models},
        left_out=("tensorflow",),
        pictures={
            (model, backend): {"originals": images, "reconstructions": images**2}
            for model in models
            for backend in backends
        },
    )


@pytest.fixture
def terminal():
    """Return a console that writes to a string as to a terminal."""
    return PlainConsole(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
