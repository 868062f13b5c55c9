"""Fixtures of the tests of files."""

import zipfile

import pytest

import ae_multi


@pytest.fixture(scope="module")
def model_entries(tmp_path_factory):
    """Return the entries of a model's file: bytes by name."""
    path = tmp_path_factory.mktemp("model") / "model.keras"
    model = ae_multi.SimpleAutoencoder(3, (5,), seed=0)
    model.compile()
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def load(model_entries, tmp_path):
    """Return a function that loads a model's file with some entries replaced."""

    def load(**entries):
        path = tmp_path / "other.keras"
        names = {"config": "config.json", "weights": "model.weights.h5"}
        entries = {names.get(name, name): content for name, content in entries.items()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in {**model_entries, **entries}.items():
                archive.writestr(name, content)
        return ae_multi.load_model(path)

    return load
