"""The code of docs/interop.md runs as printed, with the installed frameworks."""

import numpy as np
import pytest

from ae_multi.backend_selection import installed
from tests.reference.pages import ROOT, run_page

pytestmark = pytest.mark.backend

PAGE = (ROOT / "docs" / "interop.md").read_text()
# Layers that the page lists under another name.
_NAMES = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax",
          "Activation": "activations"}  # fmt: skip


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Return the names that the code of the page defines."""
    return run_page("docs/interop.md", tmp_path_factory.mktemp("interop"))


def test_weights_round_trip(names):
    images, expected = names["images"], names["expected"]
    for name in ("copy", "same"):
        np.testing.assert_allclose(names[name].reconstruct(images), expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(
        names["plain"].predict(images, verbose=0), expected, rtol=0, atol=1e-6
    )


@pytest.mark.skipif(not installed("torch"), reason="PyTorch is not installed")
def test_pytorch_code_gives_the_documented_results(names):
    images = names["images"]
    np.testing.assert_allclose(names["restored"].numpy(), names["expected"], rtol=0, atol=1e-6)
    assert names["codes"].shape == (5, 9)
    assert list(names["state"])[:3] == ["encoder.1.weight", "encoder.1.bias", "encoder.3.weight"]
    found = names["simple"].reconstruct(images)
    np.testing.assert_allclose(found, names["by_hand"].numpy(), rtol=0, atol=1e-6)


@pytest.mark.skipif(not installed("jax"), reason="JAX is not installed")
def test_jax_code_gives_the_documented_results(names):
    images = names["images"]
    np.testing.assert_allclose(names["restored"], names["expected"], rtol=0, atol=1e-6)
    assert names["kernel"].shape == (18, 9)
    found = names["trained"].reconstruct(images)
    assert ((found - images) ** 2).mean() < ((names["expected"] - images) ** 2).mean()


def test_supported_layers_are_documented():
    from ae_multi._keras import keras
    from ae_multi.interop import layers

    section = PAGE.split("## Supported layers")[1]
    for kind in layers._KNOWN:
        if getattr(keras.layers, kind.__name__, None) is kind:
            name = kind.__name__
            assert _NAMES.get(name, name) in section, name
    for name in layers._ACTIVATIONS:
        assert name in section
