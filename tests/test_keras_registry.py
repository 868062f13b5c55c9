"""Keras finds the registered classes of this package, in any order of imports."""

import pathlib
import re

import pytest

import ae_multi

pytestmark = pytest.mark.backend

LOAD_MODEL = """
import keras, ae_multi
model = keras.saving.load_model("model.keras")
print(type(model).__module__, type(model).__name__, model.latent_dim)
"""
FIND_CLASSES = """
import sys
import ae_multi, keras
assert "ae_multi.models" not in sys.modules
names = {names!r}
for name in names:
    assert keras.saving.get_registered_object("ae_multi>" + name).__name__ == name, name
assert keras.saving.get_registered_object("ae_multi>Unknown") is None
print("found", len(names))
"""
# The first import of Keras fails, the second succeeds.
IMPORT_KERAS_TWICE = """
import os, sys
import ae_multi
backend = os.environ.pop("KERAS_BACKEND")
os.environ["KERAS_BACKEND"] = "unknown"
try:
    import keras
except ValueError:
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        del sys.modules[name]
else:
    raise AssertionError
os.environ["KERAS_BACKEND"] = backend
import keras
print(keras.saving.get_registered_object("ae_multi>SimpleAutoencoder").__name__)
"""


def registered_classes():
    """Return the names of all classes that the package's sources register with Keras."""
    decorated = re.compile(
        r"^@(?:keras\.saving\.register_keras_serializable\(\"ae_multi\"\)|_register)\nclass (\w+)",
        re.MULTILINE,
    )
    sources = pathlib.Path(ae_multi.__file__).parent.rglob("*.py")
    return sorted(name for path in sources for name in decorated.findall(path.read_text()))


@pytest.mark.slow
@pytest.mark.once
def test_every_class_is_registered_before_keras_is_imported(fresh_python):
    names = registered_classes()
    assert {"SimpleAutoencoder", "Seeded", "StructuralSimilarity", "GaussianNoise"} <= {*names}
    assert len(names) > 25
    process = fresh_python(FIND_CLASSES.format(names=names))
    assert process.stdout.strip() == f"found {len(names)}", process.stderr


@pytest.mark.once
def test_keras_loads_a_model_of_the_package(fresh_python, tmp_path):
    model = ae_multi.SimpleAutoencoder(2, (6,))
    model.compile()
    model.save(tmp_path / "model.keras")
    process = fresh_python(LOAD_MODEL)
    assert process.stdout.strip() == "ae_multi.models.simple SimpleAutoencoder 2", process.stderr


@pytest.mark.slow
@pytest.mark.once
def test_classes_are_registered_after_a_failed_import_of_keras(fresh_python):
    process = fresh_python(IMPORT_KERAS_TWICE)
    assert process.stdout.strip() == "SimpleAutoencoder", process.stderr
