"""Comparisons of several backends and their failures."""

import getpass
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from ae_multi.backend_selection import BACKENDS
from tests.reference.patched_interpreter import patched_interpreter

pytestmark = pytest.mark.across


def command(pythons, *arguments):
    options = [f"--python={backend}={path}" for backend, path in pythons.items()]
    return [sys.executable, "-m", "ae_multi", "compare", *options, *map(str, arguments)]


def compare(pythons, *arguments, **kwargs):
    return subprocess.run(
        command(pythons, *arguments), capture_output=True, text=True, check=False, **kwargs
    )


@pytest.fixture(scope="module")
def comparison(pythons, tmp_path_factory):
    """Compare two models on all backends; return the process, its JSON and its folder."""
    folder = tmp_path_factory.mktemp("compare")
    process = compare(
        pythons,
        *("--data", "digits", "--epochs", 4, "--spread-runs", 2),
        *("--json", folder / "out.json", "--figure", folder / "out.png"),
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process, json.loads((folder / "out.json").read_text()), folder


def test_all_backends_agree(comparison):
    process, written, _ = comparison
    assert [(r["model"], r["backend"]) for r in written["results"]] == [
        (model, backend) for model in ("simple", "deep") for backend in BACKENDS
    ]
    for found in written["agreement"].values():
        assert found["verdict"] == "agree"
        assert found["initial_weights_identical"]
        assert found["first_losses_steps"] == 20
        # Identical losses would mean that one backend ran three times.
        assert 0 < found["first_losses_difference"] < 2e-6
        assert found["spread"]["runs"] == 2
    assert process.stdout.count("AGREE") == 2


def test_json_contains_all_results(comparison):
    process, written, _ = comparison
    assert set(written) == {"data", "settings", "results", "agreement", "machine"}
    assert set(written["machine"]) == {"date", "system", "processor", "cores"}
    assert written["data"]["name"] == "digits"
    assert written["data"]["train_images"] == 1437
    assert written["settings"]["recipes"][0]["epochs"] == 4
    for result in written["results"]:
        assert {"device", "test_mse", "pca_mse", "samples_per_second", "seconds"} <= set(result)
        assert len(result["initial_weights_sha256"]) == 64
        assert result["plan"] in process.stdout
        assert len(result["first_losses"]) == 20
        assert len(result["epoch_losses"]) == 4
        assert result["versions"]["keras"].startswith("3.")
        assert result["versions"][result["backend"]]
        assert result["test_mse"] > 0
    hashes = {(r["model"], r["initial_weights_sha256"]) for r in written["results"]}
    assert len(hashes) == 2


def test_first_loss_equals_numpy(comparison, digits):
    """NumPy computes the initial weights, the first batch and the loss from the seed."""
    from ae_multi.randomness.streams import permutation, uniform
    from tests.reference import numpy_dense

    _, written, _ = comparison
    weights = []
    for name, inputs, outputs in (("code", 784, 32), ("pixels", 32, 784)):
        limit = np.float32(np.sqrt(6 / (inputs + outputs)))
        weights += [
            limit * (2 * uniform(0, f"weights/{name}", (inputs, outputs)) - 1),
            np.zeros(outputs),
        ]
    batch = digits.x_train[permutation(0, 0, 1437)[:128]].reshape(128, 784)
    loss, _ = numpy_dense.loss_and_gradients(weights, ["relu", "sigmoid"], batch)
    for result in written["results"][:3]:
        assert result["first_losses"][0] == pytest.approx(loss, rel=1e-6)


def test_poor_results_have_notes(comparison):
    process, written, _ = comparison
    assert all(result["notes"] for result in written["results"] if result["model"] == "deep")
    assert "deep on jax: " in process.stdout


def test_figure_is_written(comparison):
    assert (comparison[2] / "out.png").read_bytes().startswith(b"\x89PNG")


def test_without_network_the_sample_is_used_with_one_warning(pythons, tmp_path):
    process = compare(
        {"jax": pythons["jax"]},
        *("--backends", "jax", "--model", "simple", "--epochs", 1, "--spread-runs", 0),
        env={
            **{name: value for name, value in os.environ.items() if name != "AE_MULTI_MNIST"},
            # A proxy that does not exist prevents downloads.
            "KERAS_HOME": str(tmp_path),
            "https_proxy": "http://127.0.0.1:9",
        },
    )
    assert process.returncode == 0, process.stdout + process.stderr
    lines = [line for line in process.stderr.splitlines() if "MNIST is not available" in line]
    assert len(lines) == 1
    assert "using the bundled sample" in lines[0]
    assert "Data: mnist-sample" in process.stdout


FAULTS = {
    "an Adam with another epsilon": (
        "real = keras.optimizers.Adam.__init__\n"
        "def init(self, *args, **kwargs):\n"
        "    real(self, *args, **{**kwargs, 'epsilon': 1e-4})\n"
        "keras.optimizers.Adam.__init__ = init\n",
        "the loss differs",
    ),
    "one weight one ulp off": (
        "import numpy as np\n"
        "real = keras.Model.get_weights\n"
        "def get(self):\n"
        "    weights = [w.copy() for w in real(self)]\n"
        "    weights[0].flat[5] = np.nextafter(weights[0].flat[5], np.float32(9))\n"
        "    return weights\n"
        "keras.Model.get_weights = get\n",
        "the initial weights differ",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_injected_fault_in_one_backend_is_detected(pythons, tmp_path, fault):
    patch, reason = FAULTS[fault]
    injected = {
        "torch": pythons["torch"],
        "jax": patched_interpreter(pythons["jax"], tmp_path / "site", patch),
    }
    process = compare(
        injected,
        *("--backends", "torch,jax", "--data", "digits", "--model", "simple"),
        *("--epochs", 1, "--spread-runs", 0),
    )
    assert process.returncode == 1, process.stdout + process.stderr
    assert "DIFFER" in process.stdout
    assert reason in process.stdout


def test_failed_backend_process_is_reported(pythons, tmp_path):
    injected = {
        "jax": patched_interpreter(
            pythons["jax"], tmp_path / "site", "raise RuntimeError('the cause')"
        )
    }
    process = compare(
        injected, "--backends", "jax", "--data", "digits", "--json", tmp_path / "out.json"
    )
    assert process.returncode == 1
    assert "the cause" in process.stderr
    assert not (tmp_path / "out.json").exists()


def workers(session):
    """Return the process ids of the workers in this session; other tests run workers, too."""
    found = subprocess.run(
        ["pgrep", "-s", str(session), "-f", "ae_multi.subprocesses.worker"],
        capture_output=True,
        text=True,
        check=False,
    )
    return set(found.stdout.split())


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_interrupted_comparison_leaves_no_processes_or_files(pythons, tmp_path, signal_number):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    parent = subprocess.Popen(
        command(
            pythons,
            *("--backends", "torch", "--data", "digits", "--model", "simple"),
            *("--epochs", 100_000, "--json", tmp_path / "o.json", "--figure", tmp_path / "o.png"),
        ),
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the process group, as at a terminal
    )
    end = time.monotonic() + 60
    while not workers(parent.pid) and time.monotonic() < end:
        time.sleep(0.1)
    time.sleep(6)  # until the training runs
    assert workers(parent.pid)
    assert parent.poll() is None
    if signal_number == signal.SIGINT:
        os.killpg(parent.pid, signal_number)
    else:
        parent.send_signal(signal_number)
    _, error = parent.communicate(timeout=30)
    end = time.monotonic() + 10
    while workers(parent.pid) and time.monotonic() < end:
        time.sleep(0.1)
    assert not workers(parent.pid)
    assert not list(tmp_path.glob("*o.*"))
    if signal_number != signal.SIGKILL:
        assert parent.returncode == 130
        assert error.endswith("ae-multi compare: interrupted\n")
        # PyTorch's compiler does not delete its cache.
        assert {path.name for path in temporary.iterdir()} <= {f"torchinductor_{getpass.getuser()}"}
