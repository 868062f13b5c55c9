"""Computation of the chunks of an array by two threads."""

import threading
import time
from contextlib import nullcontext
from importlib import import_module

import numpy as np
import pytest

import ae_multi
from ae_multi.backends.chunks import in_chunks, two_threads
from tests.reference.recorded import simplified_recording
from tests.reference.step_models import task

pytestmark = pytest.mark.backend

BATCH = 4


@pytest.fixture
def forward(backend, monkeypatch):
    """The forward module of the backend, in a process with two threads."""
    if backend == "jax":
        pytest.skip("JAX dispatches chunks asynchronously, without a thread pool")
    module = import_module(f"ae_multi.backends.{backend}.forward")
    if backend == "tensorflow":
        monkeypatch.setattr(module, "threads", lambda: 2)
        yield module
    else:
        before = module.torch.get_num_threads()
        module.torch.set_num_threads(2)
        yield module
        module.torch.set_num_threads(before)


@pytest.fixture
def pools(forward, monkeypatch):
    """List of the arguments of each thread pool that is created."""
    made = []
    real = forward.two_threads

    def counted(*given):
        made.append(given)
        return real(*given)

    monkeypatch.setattr(forward, "two_threads", counted)
    return made


def counting(keras):
    """A model that counts its calls and multiplies its input by the count."""

    class Counting(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.count.assign_add(1.0)
            return x * self.count

    model = keras.Sequential([keras.Input((3,)), Counting()])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("kind", ["dense", "conv", "branched"])
def test_two_threads_give_the_outputs_of_one(keras, forward, pools, monkeypatch, kind):
    model, (x, _, _) = task(keras, kind, "sgd")
    found = ae_multi.predict(model, x, BATCH)
    assert len(pools) == 1
    monkeypatch.setattr(forward, "two_threads", lambda *_: nullcontext())
    alone = ae_multi.predict(model, x, BATCH)
    for one, other in zip(*map(keras.tree.flatten, (found, alone)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_models_that_change_state_run_in_one_thread(keras, pools):
    x = np.ones((40, 3), np.float32)
    ours, theirs = counting(keras), counting(keras)
    found = ae_multi.predict(ours, x, BATCH)
    assert not pools
    # Building may call the model once more.
    expected = theirs.predict(x, batch_size=BATCH, verbose=0)
    np.testing.assert_array_equal(found - found[0, 0], expected - expected[0, 0])
    np.testing.assert_array_equal(found[::BATCH, 0] - found[0, 0], np.arange(10))


def test_pytorch_thread_count_is_restored(keras, forward, pools, backend):
    if backend != "torch":
        pytest.skip("only PyTorch has a number of threads that is changed")
    torch = forward.torch
    model, (x, _, _) = task(keras, "dense", "sgd")
    ae_multi.predict(model, x, BATCH)
    assert pools
    found = [torch.get_num_threads()]
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [2, 2]


@pytest.mark.parametrize(("where", "pooled"), [("cpu", True), ("meta", False)])
def test_only_programs_on_the_cpu_use_two_threads(torch, forward, where, pooled):
    program = simplified_recording(lambda x: x.relu(), torch.zeros(3, device=where))
    with forward._threads(program) as pool:
        assert (pool is not None) is pooled


def test_process_with_one_thread_uses_no_pool(keras, forward, pools, backend, monkeypatch):
    if backend == "torch":
        forward.torch.set_num_threads(1)
    else:
        monkeypatch.setattr(forward, "threads", lambda: 1)
    model, (x, _, _) = task(keras, "dense", "sgd")
    ae_multi.predict(model, x, BATCH)
    assert not pools


@pytest.mark.parametrize("samples", [1, 3, 4, 5, 20, 22])
def test_chunks_are_joined_in_order(keras, samples):
    x = np.arange(samples, dtype=np.float32)[:, None]
    progress, threads = [], set()

    def run(part):
        threads.add(threading.current_thread())
        return {"double": 2 * part, "rest": -part}

    with two_threads() as pool:
        found = in_chunks(run, x, BATCH, progress.append, pool=pool)
    np.testing.assert_array_equal(found["double"], 2 * x)
    np.testing.assert_array_equal(found["rest"], -x)
    assert progress == list(range(1, -(-samples // BATCH) + 1))
    assert threading.current_thread() in threads
    assert (len(threads) > 1) == (samples >= 2 * BATCH)


@pytest.mark.parametrize("where", ["part", "progress"])
def test_error_stops_the_remaining_chunks(keras, where):
    begun = []

    def run(part):
        begun.append(part[0])
        time.sleep(0.002)
        if where == "part" and part[0] == 2 * BATCH:
            raise KeyboardInterrupt
        return part

    def on_progress(done):
        if where == "progress" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), two_threads() as pool:
        in_chunks(run, np.arange(4_000.0), BATCH, on_progress, pool=pool)
    assert len(begun) < 500
    assert not [thread for thread in threading.enumerate() if "ae_multi" in thread.name]
