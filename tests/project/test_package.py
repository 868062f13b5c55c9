"""Imports of the package: order of its modules, frameworks and time."""

import ast
import pathlib
import subprocess
import sys
import time

import pytest

import ae_multi

FRAMEWORKS = ("torch", "tensorflow", "jax")
ROOT = pathlib.Path(ae_multi.__file__).parent
SOURCES = sorted(ROOT.rglob("*.py"))

# Keras may import its framework; modules of the package may not.
WATCHED = """
import builtins, importlib, pkgutil, sys
real, importers = builtins.__import__, set()
def watch(name, globals=None, locals=None, fromlist=(), level=0):
    caller = (globals or {}).get("__name__", "")
    ours = caller.startswith("ae_multi") and not caller.startswith("ae_multi.backends")
    if ours and not level and name.partition(".")[0] in ("torch", "tensorflow", "jax"):
        importers.add((caller, name))
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = watch
import ae_multi
for module in pkgutil.walk_packages(ae_multi.__path__, "ae_multi."):
    if not module.name.startswith("ae_multi.backends.") and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
assert not importers, importers
print("clean")
"""

PARENT = """
import sys
import ae_multi, ae_multi.cli.compare, ae_multi.cli.info, ae_multi.cli.train
import ae_multi.parity, ae_multi.report.figures, ae_multi.data.load, ae_multi.compare
import ae_multi.randomness.streams, ae_multi.backends
loaded = {"torch", "tensorflow", "jax", "keras"} & set(sys.modules)
assert not loaded, loaded
print("clean")
"""


def imported(source):
    """Yield the top-level packages that a source file imports anywhere in its code."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_outside_backends_imports_a_framework(source):
    parts = source.relative_to(ROOT).parts
    if parts[0] == "backends" and len(parts) >= 3:
        allowed = source.stem if parts[1] == "collectives" else parts[1]
        assert set(imported(source)) & set(FRAMEWORKS) <= {allowed}
    else:
        assert not set(imported(source)) & set(FRAMEWORKS)


def layer_of(parts, layers):
    """Return the layer of a module: of the module itself, or of its package."""
    name = ".".join(parts[:2])
    return name if name in layers else parts[0]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_import_only_from_lower_layers(source):
    layers = [
        "cli",
        "report",
        "tasks",
        "compare",
        "parity",
        "estimators",
        "interop",
        "models",
        "exporting",
        "training",
        "checkpoints",
        "workers",
        "environment",
        "baselines",
        "data",
        "backends",
        "randomness",
        "workers.splitting",
        "_keras_internals",
        "_keras",
        "subprocesses",
        "workers.group",
        "backend_selection",
        "io",
        "metrics",
        "argument_checks",
        "errors",
    ]
    here = layer_of([part.removesuffix(".py") for part in source.relative_to(ROOT).parts], layers)
    if here not in layers:
        above = set() if here in ("__init__", "__main__") else set(layers)
    else:
        above = set(layers[: layers.index(here)])
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("ae_multi."):
            layer = layer_of(node.module.split(".")[1:], layers)
            assert layer not in above, f"{source} imports {node.module}, which is above it"


@pytest.mark.backend
@pytest.mark.once
def test_no_module_outside_backends_loads_a_framework(fresh_python):
    done = fresh_python(WATCHED)
    assert done.stdout.strip().endswith("clean"), done.stderr


@pytest.mark.backend
@pytest.mark.once
def test_parent_process_of_a_comparison_loads_no_framework(fresh_python):
    done = fresh_python(PARENT)
    assert done.stdout.strip() == "clean", done.stderr


def seconds(*command):
    """Return the seconds of a run of Python, the minimum of five since the first fill caches."""
    best = float("inf")
    for _ in range(5):
        begin = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        best = min(best, time.perf_counter() - begin)
    return best


def test_import_and_help_are_fast():
    bare = seconds("-c", "pass")
    assert seconds("-c", "import ae_multi") - bare < 0.1
    assert seconds("-m", "ae_multi", "--help") < 0.3


@pytest.mark.backend
def test_public_names_exist():
    for name in ae_multi.__all__:
        assert getattr(ae_multi, name) is not None
    assert set(dir(ae_multi)) == set(ae_multi.__all__)


def test_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="nothing_of_ours"):
        _ = ae_multi.nothing_of_ours
