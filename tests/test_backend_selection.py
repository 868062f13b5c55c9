"""The selection of the backend, and the folders of Keras and of the package."""

import json
import logging
import os
from pathlib import Path

import pytest

from ae_multi import backend_selection
from ae_multi.errors import BackendError
from tests.reference.pages import ROOT


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that sets which backends are installed; Keras is not yet imported."""
    monkeypatch.setattr(backend_selection.sys, "modules", {})
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)

    def install(*names):
        monkeypatch.setattr(backend_selection, "installed", lambda name: name in names)

    return install


def test_environment_variable_selects_the_backend(machine, monkeypatch):
    machine("torch", "jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert backend_selection.select_backend() == "jax"


def test_error_for_an_unknown_backend_lists_the_valid_ones(machine, monkeypatch):
    machine("torch")
    monkeypatch.setenv("KERAS_BACKEND", "theano")
    with pytest.raises(BackendError, match=r"KERAS_BACKEND.*torch, tensorflow, jax.*'theano'"):
        backend_selection.select_backend()


def test_error_for_a_missing_backend_states_the_package_to_install(machine, monkeypatch):
    machine("torch")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(BackendError, match=r"with: pip install jax\.$"):
        backend_selection.select_backend()


def test_default_backend_is_tensorflow_as_in_keras(machine, caplog):
    machine("torch", "tensorflow")
    assert backend_selection.select_backend() == "tensorflow"
    assert not caplog.records


def test_keras_json_selects_the_backend(machine, tmp_path):
    machine("torch", "tensorflow", "jax")
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "jax"}))
    assert backend_selection.select_backend() == "jax"


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_keras_json_without_a_backend_selects_the_default(machine, tmp_path, text):
    machine("tensorflow")
    (tmp_path / "keras.json").write_text(text)
    assert backend_selection.select_backend() == "tensorflow"


def test_installed_backend_replaces_a_missing_default_with_a_warning(machine, monkeypatch, caplog):
    machine("jax")
    monkeypatch.setenv("KERAS_BACKEND", "")  # restored after the test
    with caplog.at_level(logging.WARNING, "ae_multi"):
        assert backend_selection.select_backend() == "jax"
    assert backend_selection.os.environ["KERAS_BACKEND"] == "jax"
    (record,) = caplog.records
    assert "tensorflow, is not installed: using jax" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_error_without_any_backend_states_all_three_packages(machine):
    machine()
    with pytest.raises(BackendError, match=r"install torch,.*install tensorflow or.*install jax"):
        backend_selection.select_backend()


@pytest.mark.backend
def test_new_process_reports_an_unknown_backend(fresh_python):
    process = fresh_python("import ae_multi; ae_multi.SimpleAutoencoder", KERAS_BACKEND="theano")
    assert process.returncode == 1
    assert "BackendError" in process.stderr
    assert "Received: 'theano'" in process.stderr


@pytest.mark.slow
@pytest.mark.backend
def test_new_process_selects_the_installed_backend(fresh_python, backend, tmp_path):
    process = fresh_python(
        "import ae_multi; print(ae_multi.SimpleAutoencoder(2).count_params()); "
        "import keras; print(keras.config.backend())",
        KERAS_BACKEND=None,
        KERAS_HOME=str(tmp_path),
    )
    assert process.stdout.split() == ["3922", backend], process.stderr
    assert process.stderr.count("is not installed: using") == (0 if backend == "tensorflow" else 1)


@pytest.fixture
def no_home(monkeypatch, tmp_path):
    """Remove the home directory: no HOME and no entry in the user database."""
    pwd = pytest.importorskip("pwd")
    monkeypatch.chdir(tmp_path)

    def unknown(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("HOME", "KERAS_HOME", "XDG_CACHE_HOME", "AE_MULTI_CACHE", "AE_MULTI_MNIST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(RuntimeError):
        Path.home()


def test_cache_is_none_without_a_home_directory(no_home):
    assert backend_selection.package_cache() is None
    assert backend_selection.keras_home() == Path("/tmp/.keras")


def test_data_are_loaded_without_a_home_directory(no_home, monkeypatch):
    from ae_multi.data import load_data, mnist

    def unreachable(url):
        raise mnist.DownloadError("no network")

    monkeypatch.setattr(mnist, "_check_reachable", unreachable)
    assert len(load_data("auto").x_train) > 1000


def test_keras_home_is_in_tmp_if_the_home_directory_is_unwritable(monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc/nothing")
    assert backend_selection.keras_home() == Path("/tmp/.keras")


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_keras_home_equals_that_of_keras(fresh_python):
    code = (
        "import keras; from ae_multi.backend_selection import keras_home; "
        "assert str(keras_home()) == keras.src.backend.config.keras_home(), keras_home()"
    )
    process = fresh_python(code, HOME="/proc/nothing", KERAS_HOME=None)
    assert process.returncode == 0, process.stderr


@pytest.mark.parametrize("command", ["train", "reduce"])
def test_backend_that_fails_to_import_gives_one_line_of_error(command, tmp_path, fresh_python):
    (tmp_path / "torch.py").write_text("raise ImportError('a library is missing')")
    arguments = [command, *(["--no-save"] if command == "train" else [])]
    code = f"from ae_multi.cli import main; raise SystemExit(main({arguments}))"
    process = fresh_python(code, KERAS_BACKEND="torch", PYTHONPATH=f"{ROOT}{os.pathsep}{tmp_path}")
    assert process.returncode == 2
    assert process.stderr == (
        f"ae-multi {command}: Expected Keras to run on torch. "
        "Received: ImportError: a library is missing.\n"
    )


@pytest.mark.backend
@pytest.mark.once
def test_model_trains_without_a_home_directory(no_home, x):
    import ae_multi
    from ae_multi.training import plan_cache

    assert plan_cache.cache_path() is None
    plan_cache.remember("key", {"step": {"a": 1.0}, "build": {"a": 1.0}, "failed": []})
    model = ae_multi.SimpleAutoencoder(3, (12,))
    model.compile()
    assert len(model.fit(x, epochs=1, verbose=0).history["loss"]) == 1
