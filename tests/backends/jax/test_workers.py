"""Communication and split steps of several workers (JAX)."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

pytestmark = pytest.mark.backend


@pytest.fixture(autouse=True)
def jax(backend):
    if backend != "jax":
        pytest.skip("other frameworks have collectives of their own")


GRADIENT = """
import json
import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from ae_multi.backends.collectives.jax import AXIS, all_reduce

SIZE = len(jax.devices())

def loss(weight, x):
    # A worker's loss: the product of a function of the batch mean and a mean over its own rows.
    mean = all_reduce([jax.numpy.mean(jax.numpy.tanh(weight * x))])[0] / SIZE
    return (mean - 1) ** 2 * jax.numpy.mean(x * weight)

def step(weight, x):
    value, gradient = jax.value_and_grad(loss)(weight, x)
    total, sums, count = all_reduce([value, gradient, np.int32(len(x))])
    return total / SIZE, sums / SIZE, count

mesh = Mesh(np.array(jax.devices()), (AXIS,))
split = jax.shard_map(
    step,
    mesh=mesh,
    in_specs=(PartitionSpec(), PartitionSpec(AXIS)),
    out_specs=PartitionSpec(),
    check_vma=False,
)
print(json.dumps([float(value) for value in jax.jit(split)(0.5, np.arange(12.0) / 4)]))
"""


@pytest.mark.parametrize("size", [3, 4])
def test_gradient_of_batch_mean_is_that_of_complete_batch(fresh_python, size):
    devices = f"--xla_force_host_platform_device_count={size}"
    done = fresh_python(GRADIENT, KERAS_BACKEND="jax", JAX_PLATFORMS="cpu", XLA_FLAGS=devices)
    assert done.returncode == 0, done.stderr
    x = np.arange(12.0) / 4
    tanh = np.tanh(0.5 * x)
    mean, slope = tanh.mean(), ((1 - tanh**2) * x).mean()
    loss = (mean - 1) ** 2 * (0.5 * x).mean()
    gradient = 2 * (mean - 1) * slope * (0.5 * x).mean() + (mean - 1) ** 2 * x.mean()
    np.testing.assert_allclose(json.loads(done.stdout), [loss, gradient, 12], rtol=1e-5)


START = """
from ae_multi.backends.collectives.jax import start

start(0, 2, "127.0.0.1", {port})
"""


def test_joining_after_a_computation_is_refused(fresh_python):
    done = fresh_python("import jax; jax.numpy.zeros(3)" + START.format(port=1))
    assert done.returncode == 1
    assert "InputError: Expected a worker to join its group before JAX starts" in done.stderr


def test_port_in_use_is_refused(fresh_python):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        done = fresh_python(START.format(port=port))
    assert done.returncode == 1
    assert f"InputError: Expected a free port. Received: port {port}" in done.stderr


WORKER = """
import os
import sys
import time
from ae_multi.backends.collectives.jax import gather, start

rank, port, last = map(int, sys.argv[1:4])
start(rank, 2, "127.0.0.1", port)
parts = gather(b"one" if rank else b"")
assert parts == [b"", b"one"], parts
parts = gather(bytes([rank]) * 3000)
assert parts == [bytes([0]) * 3000, bytes([1]) * 3000], parts
if "kill" in sys.argv and rank != last:
    os._exit(9)
if rank == last:
    time.sleep(1)
    if "kill" in sys.argv:
        gather(b"")
print("end")
"""


@pytest.fixture
def run_pair(tmp_path):
    """Return a function that runs two workers, of which number ``last`` ends last."""

    def run(last, *arguments):
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, str(rank), str(port), str(last), *arguments],
                env={**os.environ, "KERAS_BACKEND": "jax"},
                cwd=tmp_path,
                **pipes,
            )
            for rank in (0, 1)
        ]
        try:
            outputs = [worker.communicate(timeout=90) for worker in workers]
        finally:
            for worker in workers:
                worker.kill()
        return [(worker.returncode, *texts) for worker, texts in zip(workers, outputs, strict=True)]

    return run


@pytest.mark.parametrize("last", [0, 1])
def test_worker_that_ends_first_does_not_abort_the_other(run_pair, last):
    for code, output, errors in run_pair(last):
        assert code == 0, errors
        assert output.endswith("end\n")


def test_lost_worker_ends_the_other_with_worker_error(run_pair):
    (code, _, errors), (killed, _, _) = run_pair(0, "kill")
    assert killed == 9
    assert code not in (0, 9)
    assert "WorkerError: Expected all workers" in errors


def test_custom_train_step_has_no_plans_for_workers(keras):
    from ae_multi import backends

    class Custom(keras.Sequential):
        def train_step(self, state, data):
            return super().train_step(state, data)

    layers = [keras.Input((3,)), keras.layers.Dense(3)]
    assert backends.current().worker_plans(keras.Sequential(layers))[0] == "scan"
    assert backends.current().worker_plans(Custom(layers)) == []
