"""Programs that a recording compiles."""

import pytest

pytestmark = pytest.mark.backend

CODE = """
from pathlib import Path
import os
from ae_multi import backends
from ae_multi.parity import launcher, worker

def here(python, backend, job, children):
    worker.record_traces(job, lambda event: None)
    return ()

backends.current().compile_soon = lambda: print("soon")
launcher.run = here
backend = os.environ["KERAS_BACKEND"]
made = launcher.TraceLauncher(
    "ae_multi.models:SimpleAutoencoder", None, None, (28, 28, 1), 0, 2, 8, ".", {}.get
)
made.trace(backend)
print("float32")
few, worker._MAX_PRODUCTS = worker._MAX_PRODUCTS, 1
made.oracle(backend)
print("float64, much")
worker._MAX_PRODUCTS = few
made.oracle(backend)
print("float64, little")
print(len(list(Path("programs").glob("jit_train_step*-cache"))))
"""


def test_perturbed_runs_share_one_program(backend, fresh_python):
    if backend != "jax":
        pytest.skip("JAX alone compiles what Keras trains by")
    done = fresh_python(CODE, KERAS_BACKEND=backend, JAX_COMPILATION_CACHE_DIR=None)
    assert done.returncode == 0, done.stderr
    *said, programs = done.stdout.splitlines()
    assert said == ["float32", "float64, much", "soon", "float64, little"]
    # One in float32, and one in float64 for the reference and all perturbed runs.
    assert programs == "2"
