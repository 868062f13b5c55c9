"""What the compiler is told of programs (JAX)."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture(autouse=True)
def jax(backend):
    if backend != "jax":
        pytest.skip("these are XLA's options")
    import jax

    return jax


@pytest.fixture
def device(jax, monkeypatch):
    """The module, as it would be beside a GPU; programs run on the processor all the same."""
    device = importlib.import_module("ae_multi.backends.jax.device")
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="gpu")])
    device._are_known.cache_clear()
    yield device
    device._are_known.cache_clear()


def test_a_loop_is_one_cuda_graph(jax, device):
    options = device.compiler_options(loop=True)
    assert "WHILE" in options["xla_gpu_enable_command_buffer"]
    double = jax.jit(lambda x: 2 * x, compiler_options=options)
    np.testing.assert_array_equal(double(np.arange(3)), [0, 2, 4])
    assert device.compiler_options() == {}


def test_what_is_compiled_soon_is_not_tried_out(device):
    soon = {"xla_gpu_autotune_level": 0}
    assert device.compiler_options(soon=True) == soon
    loop = device.compiler_options(loop=True)
    assert device.compiler_options(loop=True, soon=True) == {**loop, **soon}


def test_a_version_that_does_not_know_the_options_does_without(device, monkeypatch):
    monkeypatch.setitem(device._LOOPS, "xla_gpu_no_such_option", "1")
    assert device.compiler_options(loop=True) == {}


def test_a_processor_is_not_told_of_gpus(device, monkeypatch):
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="cpu")])
    assert device.compiler_options(loop=True) == {}
    assert not any("gpu" in name for name in device.compiler_options(loop=True, soon=True))
