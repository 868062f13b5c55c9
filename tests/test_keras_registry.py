"""Keras finds the classes of this package, in any order of imports."""

import pathlib
import re

import pytest

import ae_multi

pytestmark = pytest.mark.backend

LOADED = """
import keras, ae_multi
model = keras.saving.load_model("model.keras")
print(type(model).__module__, type(model).__name__, model.latent_dim)
"""
EVERY = """
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
SECOND_TRY = """
import os, sys
import ae_multi
right = os.environ.pop("KERAS_BACKEND")
os.environ["KERAS_BACKEND"] = "unknown"
try:
    import keras
except ValueError:
    for name in [name for name in sys.modules if name.partition(".")[0] == "keras"]:
        del sys.modules[name]
else:
    raise AssertionError
os.environ["KERAS_BACKEND"] = right
import keras
print(keras.saving.get_registered_object("ae_multi>SimpleAutoencoder").__name__)
"""


def registered_classes():
    """Names of all classes of the package that are registered with Keras, found in its sources."""
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
    done = fresh_python(EVERY.format(names=names))
    assert done.stdout.strip() == f"found {len(names)}", done.stderr


@pytest.mark.once
def test_keras_loads_a_model_of_the_package(fresh_python, tmp_path):
    model = ae_multi.SimpleAutoencoder(2, (6,))
    model.compile()
    model.save(tmp_path / "model.keras")
    done = fresh_python(LOADED)
    assert done.stdout.strip() == "ae_multi.models.simple SimpleAutoencoder 2", done.stderr


@pytest.mark.slow
@pytest.mark.once
def test_registration_survives_a_failed_import_of_keras(fresh_python):
    done = fresh_python(SECOND_TRY)
    assert done.stdout.strip() == "SimpleAutoencoder", done.stderr
