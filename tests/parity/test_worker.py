"""Recording of traces: compiled programs, random numbers and the float64 reference."""

import sys

import numpy as np
import pytest

from ae_multi.parity.conditioning import ALLOWED_STEPS, LARGE_PROBE, PERTURBATIONS
from ae_multi.parity.launcher import TraceLauncher
from tests.robustness.false_positives.cases import CASES
from tests.robustness.zoo.catalogue import ZOO

pytestmark = pytest.mark.backend

PROGRAMS = """
from pathlib import Path
import os
from ae_multi import backends
from ae_multi.parity import launcher, worker

def here(python, backend, job, children, threads):
    worker.record_traces(job, lambda event: None)
    return ()

launcher.run = here
backend = os.environ["KERAS_BACKEND"]
backends.current().compile_soon = lambda: print("soon")
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
        pytest.skip("counts programs in the compilation cache of JAX")
    done = fresh_python(PROGRAMS, KERAS_BACKEND=backend, JAX_COMPILATION_CACHE_DIR=None)
    assert done.returncode == 0, done.stderr
    *lines, programs = done.stdout.splitlines()
    assert lines == ["float32", "float64, much", "soon", "float64, little"]
    # One program in float32, and one in float64 for the reference and all perturbed runs.
    assert programs == "2"


def recorded(backend, folder, case):
    """Return the float32 trace, the float64 reference and its perturbed runs, of one step."""
    xs, ys = case.data(0)
    launcher = TraceLauncher(
        case.build, xs, ys, None, 0, 1, 32, folder, {backend: sys.executable}.get
    )
    return launcher.trace(backend), *launcher.oracle(backend)


@pytest.mark.once
def test_perturbed_runs_draw_the_same_random_numbers(backend, tmp_path):
    """Computing the targets draws masks of the recurrent dropout in the first model only."""
    _, exact, perturbed = recorded(backend, tmp_path, CASES["recurrent"])
    assert [run.perturbation for run in perturbed] == list(PERTURBATIONS)
    for stage in ("training forward", "gradient"):
        for place, values in enumerate(exact.values(stage)):
            moves = [np.max(np.abs(run.values(stage)[place] - values)) for run in perturbed]
            assert moves[0] < 1e-5
            assert moves[-1] < 1e-5 * LARGE_PROBE
    assert max(moves) > 0


@pytest.mark.once
def test_reference_has_gradients_of_convolutions(backend, tmp_path):
    """PyTorch has no float64 gradient for a kernel that is a view with permuted axes."""
    float32, exact, _ = recorded(backend, tmp_path, ZOO["convolutional_autoencoder"])
    pairs = zip(float32.values("gradient"), exact.values("gradient"), strict=True)
    for one, other in pairs:
        assert other.dtype == np.float64
        np.testing.assert_allclose(one, other, atol=1e-5 * np.max(np.abs(other)), rtol=0)


@pytest.mark.once
def test_reference_allows_full_steps_for_gradients_of_rounding(backend, tmp_path):
    """The gradient of a bias before batch normalization is rounding, so Adam takes any step."""
    _, exact, _ = recorded(backend, tmp_path, ZOO["pointnet"])
    entries = zip(exact.stages["one step"], exact.stages[ALLOWED_STEPS], strict=True)
    allowed = {weight["name"]: np.max(entry["values"]) for weight, entry in entries}
    rate = 1e-3
    assert allowed["conv1d/bias"] == pytest.approx(rate, rel=0.02)
    assert allowed["batch_normalization/moving_mean"] == 0.0
    assert allowed["dense_2/bias"] < 0.1 * rate
