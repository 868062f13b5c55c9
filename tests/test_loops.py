"""What the compiler is told of programs that loop over steps (JAX)."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture
def device(backend, monkeypatch):
    """The module, as it would be beside a GPU; programs run on the processor all the same."""
    if backend != "jax":
        pytest.skip("these are XLA's options")
    device = importlib.import_module("ae_multi.backends.jax.device")
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="gpu")])
    device.options_for_loops.cache_clear()
    yield device
    device.options_for_loops.cache_clear()


def test_a_loop_is_one_cuda_graph(device, monkeypatch):
    import jax

    options = device.options_for_loops()
    assert "WHILE" in options["xla_gpu_enable_command_buffer"]
    double = jax.jit(lambda x: 2 * x, compiler_options=options)
    np.testing.assert_array_equal(double(np.arange(3)), [0, 2, 4])


def test_a_version_that_does_not_know_the_options_does_without(device, monkeypatch):
    monkeypatch.setitem(device._LOOPS, "xla_gpu_no_such_option", "1")
    assert device.options_for_loops() is None


def test_a_processor_is_told_nothing(device, monkeypatch):
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="cpu")])
    assert device.options_for_loops() is None
