"""Examples in docstrings run as printed."""

import doctest
import importlib
import io

import numpy as np
import pytest

import ae_multi
from tests.reference.pages import ROOT, missing

pytestmark = pytest.mark.backend


def marks(path):
    """Return the marks of a module: examples outside interop run on one backend only."""
    if path.parent.name == "interop":
        return []
    return [pytest.mark.once, *([pytest.mark.slow] if path.stem == "denoiser" else [])]


SOURCES = [
    pytest.param(path, marks=marks(path))
    for path in sorted((ROOT / "ae_multi").rglob("*.py"))
    if ">>> " in path.read_text("utf-8")
]


def names_of(example):
    """Return the names that the example of a docstring uses without defining them."""
    images = np.random.default_rng(0).random((8, 28, 28, 1), np.float32)
    if example == "Autoencoder":
        return {"x": images[:, 0, :20, 0]}
    if example in ("DenoisingAutoencoder", "RestorationNetwork"):
        return {"clean": images, "noisy": images}
    if example == "SegmentationNetwork":
        return {"images": images, "masks": images[..., 0] > 0.5}
    if example == "StructuralSimilarity":
        return {"model": ae_multi.SimpleAutoencoder()}
    if example in ("to_jax", "to_keras", "to_torch"):
        return {"model": ae_multi.DeepAutoencoder(), "images": images, "x": images}
    if example == "from_torch":
        write_weights("weights.pt")
    if example == "load_estimator":
        rows = np.random.default_rng(0).random((40, 3))
        return {"detector": ae_multi.AnomalyDetector(epochs=1).fit(rows)}
    return {}


def write_weights(path):
    """Write the weights of the deep autoencoder with `torch.save`."""
    import torch

    torch.save(ae_multi.to_torch(ae_multi.DeepAutoencoder()).state_dict(), path)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_examples_of_docstrings(path, tmp_path, monkeypatch, keras):
    monkeypatch.chdir(tmp_path)
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    found = [test for test in tests if test.examples]
    assert found
    keras.config.disable_interactive_logging()  # examples print no progress bars
    try:
        for test in found:
            run(test, keras)
    finally:
        keras.config.enable_interactive_logging()


def run(test, keras):
    """Run the examples of one docstring, unless a package that they use is not installed."""
    example, source = test.name.rpartition(".")[2], "".join(e.source for e in test.examples)
    needed = source.replace("from_torch", "torch")
    if missing(needed):
        return
    test.globs.update(ae_multi=ae_multi, keras=keras, np=np, **names_of(example))
    for name in ("jax", "torch"):
        if f"{name}." in source:
            test.globs[name] = importlib.import_module(name)
    printed = io.StringIO()
    failed = doctest.DocTestRunner().run(test, out=printed.write).failed
    assert not failed, printed.getvalue()
