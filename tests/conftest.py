import os
import random
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS, installed
from ae_multi.data.digits import load_digits

# The backend that runs tests marked "once": its first step of a model compiles fastest.
ONE_BACKEND = "torch"


def pytest_ignore_collect(collection_path):
    """Skip test files that need a backend if none is installed."""
    if collection_path.suffix != ".py" or any(map(installed, BACKENDS)):
        return None
    marked = r"^pytestmark = \[?\s*pytest\.mark\.backend"
    return True if re.search(marked, collection_path.read_text(), re.MULTILINE) else None


def pytest_collection_modifyitems(config, items):
    """Run tests marked "once" on one backend, or on each if AE_MULTI_ALL_CHECKS is set."""
    if os.environ.get("AE_MULTI_ALL_CHECKS"):
        return
    if os.environ.get("KERAS_BACKEND", ONE_BACKEND) != ONE_BACKEND:
        deselected = [item for item in items if item.get_closest_marker("once")]
        config.hook.pytest_deselected(items=deselected)
        items[:] = [item for item in items if item not in deselected]


def pytest_runtest_setup(item):
    """Start each test from the same random weights: Keras draws seeds from Python's generator."""
    del item
    random.seed(0)


@pytest.fixture(scope="session")
def digits():
    """Return the bundled digits: 1,437 training and 360 test images."""
    return load_digits()


@pytest.fixture
def small():
    """Return 70 images of uniform noise, shape (70, 8, 8, 1)."""
    return np.random.default_rng(1).random((70, 8, 8, 1), np.float32)


@pytest.fixture(scope="session")
def x():
    """Return 70 rows of uniform noise, shape (70, 12)."""
    return np.random.default_rng(0).random((70, 12), np.float32)


@pytest.fixture
def plans_file(tmp_path, monkeypatch):
    """Return the path of the plan cache, which is set to a temporary folder."""
    monkeypatch.setenv("AE_MULTI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "plans.json"


@pytest.fixture(scope="session")
def keras():
    """Return Keras, on the backend of this process."""
    from ae_multi import backends
    from ae_multi._keras import keras

    if not backends.current().device().startswith("cpu"):
        backends.current().full_precision()  # TF32 rounds more than the tests allow
    return keras


@pytest.fixture(scope="session")
def mnist_folder():
    """Return the folder of the files of MNIST, or skip the test."""
    folder = os.environ.get("AE_MULTI_MNIST")
    if not folder:
        pytest.skip("AE_MULTI_MNIST is not set")
    return folder


@pytest.fixture(scope="session")
def pythons():
    """Return a dict from backends to the interpreters of their environments."""
    entries = os.environ.get("AE_MULTI_TEST_PYTHONS")
    if not entries:
        pytest.skip("AE_MULTI_TEST_PYTHONS is not set; nox -s tests sets it")
    return dict(entry.split("=", 1) for entry in shlex.split(entries))


@pytest.fixture
def backend(keras):
    """Return the name of the backend of this process."""
    return keras.config.backend()


@pytest.fixture
def torch(backend):
    """Return PyTorch, or skip the test on other backends."""
    if backend != "torch":
        pytest.skip("tests the PyTorch backend")
    import torch

    return torch


@pytest.fixture
def run_on(pythons, tmp_path):
    """Return a function that runs code on a backend in a temporary folder; it returns stdout."""

    def run(backend, code, *arguments):
        process = subprocess.run(
            [pythons[backend], "-c", code, *arguments],
            env={**os.environ, "KERAS_BACKEND": backend},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout

    return run


@pytest.fixture
def fresh_python(tmp_path):
    """Return a function that runs code in a new interpreter, outside the project's folder."""

    def run(code, **environment):
        merged = {**os.environ, **environment}
        merged = {name: value for name, value in merged.items() if value is not None}
        return subprocess.run(
            [sys.executable, "-W", "error::UserWarning", "-c", code],
            env=merged,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
