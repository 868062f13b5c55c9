"""Options of XLA's compiler (JAX)."""

from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

pytestmark = pytest.mark.backend

DEVICE = "ae_multi.backends.jax.device"


@pytest.fixture(autouse=True)
def jax(backend):
    if backend != "jax":
        pytest.skip("these compiler options exist for JAX only")
    import jax

    return jax


@pytest.fixture
def device(jax, monkeypatch):
    """The device module, patched to find a GPU; programs run on the CPU."""
    device = import_module(DEVICE)
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="gpu")])
    device._is_known.cache_clear()
    yield device
    device._is_known.cache_clear()


def test_loop_options_enable_cuda_graphs(jax, device):
    options = device.compiler_options(loop=True)
    assert "WHILE" in options["xla_gpu_enable_command_buffer"]
    double = jax.jit(lambda x: 2 * x, compiler_options=options)
    np.testing.assert_array_equal(double(np.arange(3)), [0, 2, 4])
    assert device.compiler_options() == {}


def test_fast_compilation_disables_autotuning(device):
    soon = {"xla_gpu_autotune_level": 0}
    assert device.compiler_options(soon=True) == soon
    loop = device.compiler_options(loop=True)
    assert device.compiler_options(loop=True, soon=True) == {**loop, **soon}


def test_unknown_compiler_options_are_omitted(device, monkeypatch):
    known = device.compiler_options(loop=True)
    monkeypatch.setitem(device._LOOPS, "xla_gpu_no_such_option", "1")
    assert device.compiler_options(loop=True) == known


def test_gpu_options_are_not_passed_on_a_cpu(device, monkeypatch):
    monkeypatch.setattr(device.jax, "devices", lambda: [SimpleNamespace(platform="cpu")])
    assert device.compiler_options(loop=True) == {}
    assert not any("gpu" in name for name in device.compiler_options(loop=True, soon=True))


def test_eigen_option_selects_eigen_matmul(jax):
    device = import_module(DEVICE)
    x = np.ones((64, 64), np.float32)
    compiled = {
        eigen: jax.jit(lambda x: x @ x, compiler_options=device.compiler_options(eigen=eigen))
        .lower(x)
        .compile()
        for eigen in (False, True)
    }
    assert device.has_eigen()
    assert "ynn_fusion" in compiled[False].as_text()
    assert "ynn_fusion" not in compiled[True].as_text()
    np.testing.assert_array_equal(compiled[True](x), compiled[False](x))


def test_eigen_is_not_offered_on_a_gpu(device):
    assert not device.has_eigen()
    assert device.compiler_options(eigen=True) == {}


def test_eigen_plans_are_offered_only_where_the_option_exists(keras, monkeypatch):
    device, steps = map(import_module, (DEVICE, "ae_multi.backends.jax.steps"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    images = keras.Sequential([keras.Input((3, 3, 1)), keras.layers.Conv2D(2, 2)])

    def names(model):
        return [name for name, _ in steps.plans(model)]

    assert names(model) == ["scan", "scan-eigen", "step"]
    assert names(images) == ["step", "scan", "scan-eigen"]
    monkeypatch.setattr(device, "_EIGEN", {"xla_cpu_no_such_option": "1"})
    assert names(model) == ["scan", "step"]
    assert device.compiler_options(eigen=True) == {}
