"""Named environments and the backend of each."""

import json
import sys

import pytest

from ae_multi.errors import InputError
from ae_multi.parity.environments import find_environments


@pytest.fixture
def python(tmp_path):
    """Function that writes a fake interpreter, which prints the given packages as installed."""

    def make(*packages):
        path = tmp_path / "-".join(("python", *packages))
        path.write_text(f"#!/bin/sh\necho '{json.dumps(packages)}'\n")
        path.chmod(0o755)
        return str(path)

    return make


@pytest.fixture(autouse=True)
def _no_backend_chosen(monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)


def test_environment_runs_its_installed_framework(python):
    pythons = {"old": python("ae_multi", "torch"), "new": python("ae_multi", "jax")}
    found = find_environments(pythons)
    assert {name: each.backend for name, each in found.items()} == {"old": "torch", "new": "jax"}
    assert {name: each.python for name, each in found.items()} == pythons


def test_keras_backend_chooses_among_several(python, monkeypatch):
    pythons = {"a": python("ae_multi", "torch", "jax"), "b": python("ae_multi", "torch")}
    with pytest.raises(InputError, match=r"Received: torch, jax in .*KERAS_BACKEND is not set"):
        find_environments(pythons)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert {e.backend for e in find_environments(pythons).values()} == {"torch", "jax"}


def test_interpreter_that_cannot_be_run_is_refused(python):
    pythons = {"a": python("ae_multi", "jax"), "b": "/nowhere/python"}
    with pytest.raises(InputError, match=r"environment b\. Received: /nowhere/python"):
        find_environments(pythons)


def test_probe_lists_the_installed_frameworks():
    """The probe runs in this interpreter, in which the package is installed."""
    from ae_multi.backend_selection import BACKENDS, installed
    from ae_multi.parity.environments import _importable

    here = [name for name in BACKENDS if installed(name)]
    assert _importable("a", sys.executable) == ["ae_multi", *here]


@pytest.mark.parametrize(
    ("packages", "message"),
    [
        ((), "package to be installed in the environment b. Received: .* cannot import ae_multi"),
        (("ae_multi",), "in the environment b.*Received: none of them"),
    ],
)
def test_unsuitable_environment_is_refused(python, packages, message):
    with pytest.raises(InputError, match=message):
        find_environments({"a": python("ae_multi", "jax"), "b": python(*packages)})


def test_interpreter_that_prints_something_else_is_refused(python, tmp_path):
    (tmp_path / "odd").write_text("#!/bin/sh\necho hello\n")
    (tmp_path / "odd").chmod(0o755)
    with pytest.raises(InputError, match="can be run for the environment b"):
        find_environments({"a": python("ae_multi", "jax"), "b": str(tmp_path / "odd")})


@pytest.mark.parametrize("name", ["numpy", "openvino", "a b", "../a", "", "-x", "a+b"])
def test_unsuitable_name_is_refused(name):
    with pytest.raises(InputError, match="a name of letters"):
        find_environments({"a": sys.executable, name: sys.executable})


def test_one_environment_is_refused():
    with pytest.raises(InputError, match=r"two or more environments\. Received: a"):
        find_environments({"a": sys.executable})
