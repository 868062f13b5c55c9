"""Programs of many steps: what the compiler is told, and a state that is given away (JAX)."""

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from tests.reference.step_models import task

pytestmark = pytest.mark.backend


@pytest.fixture(autouse=True)
def jax(backend):
    if backend != "jax":
        pytest.skip("these are XLA's options and JAX's programs")
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


@pytest.fixture
def steps(keras, jax, monkeypatch):
    """A function that makes (model, steps) whose programs write over the state, as on a GPU."""
    from ae_multi import backends

    module = importlib.import_module("ae_multi.backends.jax.steps")

    def make(plan):
        model, data = task(keras, "dense", "adam")
        model._symbolic_build(data_batch=keras.tree.map_structure(lambda a: a[:16], data[:2]))
        held = backends.current().hold(data)
        with monkeypatch.context() as patch:
            patch.setattr(module, "on_cpu", lambda: False)
            return model, module.Steps(model, held, plan, True, 16, 4)

    return make


ROWS = np.arange(64, dtype=np.int32).reshape(4, 16)


def variables(model):
    return [np.array(v) for v in model.variables + model.optimizer.variables]


@pytest.mark.parametrize("plan", ["scan", "step"])
def test_a_kept_state_outlives_those_that_are_given_away(steps, plan):
    model, made = steps(plan)
    before = variables(model)
    kept = made.keep()
    given_away = made._state()
    first = made.run(ROWS)["loss"]
    assert given_away[0][0].is_deleted()
    after = variables(model)
    for _ in range(2):  # what is restored stays kept
        made.restore(kept)
        for one, other in zip(variables(model), before, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(made.run(ROWS)["loss"], first)
    for one, other in zip(variables(model), after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_variables_that_share_an_array_are_trained_apart(steps):
    model, made = steps("scan")
    first, second = [v for v in model.optimizer.variables if len(v.shape) == 1][:2]
    assert first.shape == second.shape
    second._direct_assign(first._value)
    made.run(ROWS)
    assert np.abs(np.array(first) - np.array(second)).max() > 0
