"""Every backend has the names and signatures of `ae_multi.backends.protocol`."""

import inspect

import pytest

from ae_multi import backends
from ae_multi.backends import protocol

pytestmark = pytest.mark.backend

FUNCTIONS = [
    name for name, value in vars(protocol.Backend).items()
    if inspect.isfunction(value) and not name.startswith("_")
]  # fmt: skip


def parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(each.name, each.default) for each in found if each.name != "self"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_backend_function_has_the_signature_of_the_protocol(name, backend):
    function = getattr(backends.current(), name)
    assert parameters(function) == parameters(getattr(protocol.Backend, name))


def test_steps_have_the_signatures_of_the_protocol(backend):
    steps = backends.current().Steps
    assert parameters(steps) == parameters(protocol.MakeSteps.__call__)
    for name in ("run", "snapshot", "restore"):
        assert parameters(getattr(steps, name)) == parameters(getattr(protocol.Steps, name))


def test_backend_has_no_public_names_outside_the_protocol(backend):
    names = set(backends.current().__all__)
    assert names == {*FUNCTIONS, "Steps"}


def test_exporters_have_the_signatures_of_the_protocol(backend):
    exporter = pytest.importorskip(f"ae_multi.backends.{backend}.export")
    for name in ("write", "run", "versions"):
        assert parameters(getattr(exporter, name)) == parameters(getattr(protocol.Exporter, name))
