"""`ae-multi train` and scripts with several workers of the current backend."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.reference.command import run_command
from tests.subprocesses.test_launcher import has_ended

pytestmark = [pytest.mark.backend, pytest.mark.slow]

PLANS = {"torch": "graph", "tensorflow": "loop", "jax": "scan"}
OPTIONS = ("train", "--data=digits", "--model=simple", "--samples=200", "--batch-size=32")


@pytest.fixture(autouse=True)
def hidden_notices(monkeypatch):
    """Let the command hide the notices of frameworks."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)


def train(path, *arguments):
    """Run the command; return the completed process and its JSON."""
    process = run_command(*OPTIONS, "--json", path, *arguments)
    assert process.returncode == 0, process.stderr
    return process, json.loads(path.read_text())


def test_two_workers_have_the_losses_of_one_process(tmp_path, backend):
    plan = f"--plan={PLANS[backend]}"
    _, one = train(tmp_path / "1.json", plan, "--epochs=3", "--no-save")
    saved = tmp_path / "model.keras"
    process, two = train(tmp_path / "2.json", plan, "--epochs=3", "--workers=2", "--out", saved)
    assert (one["workers"], two["workers"]) == (1, 2)
    assert one["plan"] == two["plan"] == PLANS[backend]
    assert len(one["losses"]) == len(two["losses"]) == 3 * 7
    assert two["losses"][:20] == pytest.approx(one["losses"][:20], rel=1e-5)
    assert len(one["weights_sha256"]) == 1
    assert len(two["weights_sha256"]) == 2
    assert len(set(two["weights_sha256"])) == 1
    # Worker 0 alone prints and saves.
    lines = process.stdout.splitlines()
    assert lines[0].startswith("SimpleAutoencoder on ")
    assert ", 2 workers; " in lines[0]
    assert lines[-1] == f"Saved: {saved}"
    assert len(lines) in (3, 4)
    assert saved.stat().st_size > 1000


def test_killed_worker_is_restarted_with_the_same_result(tmp_path):
    arguments = ("--epochs=100", "--no-save", "--workers=2", "--checkpoint-every=30 steps")
    _, whole = train(tmp_path / "whole.json", *arguments, "--checkpoint", tmp_path / "whole")
    path, folder = tmp_path / "killed.json", tmp_path / "killed"
    command = [*OPTIONS, *arguments, "--json", path, "--checkpoint", folder, "--restarts=2"]
    launcher = start(command)
    wait_for(lambda: list(folder.glob("*.checkpoint")))
    os.kill(workers_of(launcher.pid)[1], signal.SIGKILL)
    _, error = launcher.communicate(timeout=200)
    assert launcher.returncode == 0, error
    assert error.count("restart 1 of 2") == 1
    assert "worker 1 was ended by SIGKILL" in error
    killed = json.loads(path.read_text())
    assert killed["losses"] == whole["losses"]
    assert killed["weights_sha256"] == whole["weights_sha256"]


@pytest.mark.parametrize(("number", "status"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_workers_end_with_the_launcher(tmp_path, number, status):
    folder = tmp_path / "saved"
    command = [*OPTIONS, "--epochs=100000", "--no-save", "--workers=2", "--checkpoint", folder]
    launcher = start([*command, "--checkpoint-every=50 steps"])
    wait_for(lambda: list(folder.glob("*.checkpoint")))
    workers = workers_of(launcher.pid)
    assert len(workers) == 2
    launcher.send_signal(number)
    _, error = launcher.communicate(timeout=60)
    assert all(has_ended(pid) for pid in workers)
    assert launcher.returncode == status
    if number == signal.SIGINT:
        assert error.splitlines()[-1] == "ae-multi train: interrupted"
        assert "Traceback" not in error


def test_usage_error_of_workers_is_printed_once(tmp_path):
    process = run_command(*OPTIONS, "--no-save", "--workers=2", "--plan=magic", "--restarts=2")
    assert process.returncode == 2
    assert process.stderr.count("Expected") == 1
    assert "magic" in process.stderr
    assert "restart" not in process.stderr


def test_training_that_diverges_is_not_repeated():
    options = ("--no-save", "--workers=2", "--model=deep", "--learning-rate=1e30", "--epochs=20")
    process = run_command(*OPTIONS, *options, "--restarts=3")
    assert process.returncode == 1, process.stderr
    assert process.stderr.count("Expected a finite loss") == 1
    assert "restart" not in process.stderr


SCRIPT = """
import ae_multi, os
model = ae_multi.SimpleAutoencoder(seed=0)
model.compile()
model.fit(ae_multi.load_data("digits").x_train[:200], batch_size=32, epochs=2, verbose=0)
print(f"{os.environ['RANK']} {model.history.history['loss']}\\n", end="", flush=True)
"""


def test_script_is_started_by_torchrun(tmp_path, backend):
    pytest.importorskip("torch")
    (tmp_path / "train.py").write_text(SCRIPT)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node=2", str(tmp_path / "train.py")),
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    ranks = dict(line.split(" ", 1) for line in done.stdout.splitlines() if line[:1] in "01")
    assert sorted(ranks) == ["0", "1"]
    assert ranks["0"] == ranks["1"]


def start(arguments):
    """Start the command; return the process."""
    return subprocess.Popen(
        [sys.executable, "-m", "ae_multi", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def workers_of(pid):
    """Return the children of a process, in the order of their start."""
    shown = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True
    )
    return sorted(int(word) for word in shown.stdout.split())


def wait_for(condition, seconds=100):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
