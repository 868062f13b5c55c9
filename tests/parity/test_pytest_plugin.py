"""The pytest plugin with the fixture ``assert_parity``."""

import os
import subprocess
import sys

import pytest

from tests.reference.pages import ROOT

PLUGIN = "ae_multi.parity.pytest_plugin"
TEST_FILE = """
import keras_free_helper

def build_model():
    import keras
    layers = keras.layers
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Conv2D(keras_free_helper.CHANNELS, 3),
        layers.UpSampling2D(2, interpolation=keras_free_helper.INTERPOLATION, name="enlarge"),
    ])

def test_parity(assert_parity):
    report = assert_parity(build_model, shape=(8, 8, 1), quick=True)
    assert report.agree
"""


@pytest.fixture
def pytest_in(tmp_path):
    """Function that writes a test file and runs pytest on it with the plugin."""

    def run(*arguments, interpolation="nearest", test=TEST_FILE):
        folder = tmp_path / "tests"
        folder.mkdir(exist_ok=True)
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        helper = f"CHANNELS = 2\nINTERPOLATION = {interpolation!r}\n"
        (folder / "keras_free_helper.py").write_text(helper)
        (folder / "test_mine.py").write_text(test)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("PYTEST_ADDOPTS", None)
        # Where the package is installed, its entry point would load the plugin a second time.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    return run


@pytest.mark.across
def test_model_that_agrees_passes(pytest_in, pythons):
    named = [f"--ae-multi-python={name}={pythons[name]}" for name in ("torch", "jax")]
    done = pytest_in(*named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.slow
@pytest.mark.across
def test_failure_shows_the_report(pytest_in, pythons):
    named = [f"--ae-multi-python={name}={pythons[name]}" for name in ("torch", "jax")]
    done = pytest_in(*named, interpolation="bicubic")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "forward: DIFFERS" in done.stdout
    assert "first in forward: enlarge (UpSampling2D)" in done.stdout
    assert "AssertionError: Backends differ." in done.stdout
    assert "__tracebackhide__" not in done.stdout  # the traceback has no code of the plugin


def test_environments_may_have_any_names(pytest_in):
    done = pytest_in("--ae-multi-python=old=/nowhere/python", "--ae-multi-python=new=/there")
    assert done.returncode == 1
    assert "for the environment old. Received: /nowhere/python" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["jax"], "NAME=PATH"),
        (["jax="], "NAME=PATH"),
        (["jax=/a", "jax=/b"], "each name once"),
        (["jax=/a", "old=/b"], "or with other names only. Received: jax, old"),
    ],
)
def test_unsuitable_interpreters_are_refused(pytest_in, arguments, message):
    done = pytest_in(*(f"--ae-multi-python={text}" for text in arguments))
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_plugin_imports_no_large_package(fresh_python):
    done = fresh_python(
        "import sys, ae_multi.parity.pytest_plugin\n"
        "heavy = ('numpy', 'scipy', 'keras', 'torch', 'jax', 'tensorflow', 'sklearn', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])",
        PYTHONPATH=str(ROOT),
    )
    assert done.stdout == "[]\n", done.stderr


def test_plugin_is_an_entry_point():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"ae_multi": PLUGIN}
