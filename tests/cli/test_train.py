"""`ae-multi train`: progress, signals, checkpoints and the saved model."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from ae_multi.compare.config import ALL_MODELS
from tests.reference.command import run_command

TASKS = ("reduce", "denoise", "detect", "segment", "features")


@pytest.mark.backend
def test_train_saves_the_model(tmp_path, backend, digits):
    path = tmp_path / "model.keras"
    process = run_command(
        "train", "--data", "digits", "--model", "simple", "--epochs", 3, "--out", path
    )
    assert process.returncode == 0, process.stderr
    assert f"SimpleAutoencoder on {backend}" in process.stdout
    assert "PCA with 32 components" in process.stdout
    assert "No better than predicting the mean image." in process.stdout  # after three epochs
    from ae_multi import load_model

    assert load_model(path).encode(digits.x_test).shape == (360, 32)


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("model", ALL_MODELS)
def test_train_saves_each_model_and_prints_its_error(model, run_here, few_digits, tmp_path):
    path = tmp_path / "größe [1] $x.keras"
    process = run_here("train", "--model", model, "--epochs", 2, "--out", path, "--seed", 3)
    assert process.returncode == 0, process.stderr
    assert process.stdout.startswith(f"{ALL_MODELS[model]} on ")
    assert f"Saved: {path}" in process.stdout
    from ae_multi import load_model

    trained = load_model(path)
    assert type(trained).__name__ == ALL_MODELS[model]
    if model == "restoration":
        from ae_multi.tasks.denoise import with_noise

        restored = trained.restore(with_noise(few_digits.x_test, 0.4, 3, "test"))
        assert f"test MSE {np.mean((restored - few_digits.x_test) ** 2):.5f}" in process.stdout
    elif model == "segmentation":
        from sklearn.metrics import jaccard_score

        from ae_multi.data.clutter import clutter

        scenes, masks = clutter(few_digits.x_test, 3, "test")
        found = jaccard_score(masks.ravel(), trained.segment(scenes).ravel())
        assert f"test IoU {found:.4f}" in process.stdout
    else:
        restored = trained.reconstruct(few_digits.x_test)
        assert f"test MSE {np.mean((restored - few_digits.x_test) ** 2):.5f}" in process.stdout
        mean = few_digits.x_train.mean(axis=0)
        baseline = np.mean((few_digits.x_test - mean) ** 2)
        assert f"the mean image: {baseline:.5f}" in process.stdout
        assert "PCA with " in process.stdout


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("command", ["train", *TASKS])
def test_progress_is_lines_in_a_pipe_and_one_bar_in_a_terminal(
    command, run_here, few_digits, monkeypatch
):
    from ae_multi.report.tables import PlainConsole

    monkeypatch.setattr("ae_multi.tasks.result.load_data", lambda *arguments: few_digits)
    monkeypatch.setattr("ae_multi.report.progress.LINE_SECONDS", 0.1)
    specific = {"train": ["--no-save", "--model", "simple"], "detect": ["--normal", 0]}
    arguments = [command, "--epochs", 12, *specific.get(command, [])]
    piped = run_here(*arguments)
    assert piped.returncode == 0, piped.stderr
    for text in (piped.stdout, piped.stderr):
        assert "\r" not in text
        assert "━" not in text
    lines = piped.stderr.splitlines()
    assert all(line.startswith(f"{command}: ") and " elapsed" in line for line in lines), lines

    shown = io.StringIO()

    def terminal(stderr=False):
        return PlainConsole(file=shown, force_terminal=True, color_system=None, width=100)

    module = "train" if command == "train" else "tasks"
    monkeypatch.setattr(f"ae_multi.cli.{module}.console", terminal)
    assert run_here(*arguments).returncode == 0
    # The bar is one line, which is redrawn; the results are printed below it.
    progress = shown.getvalue().partition("\x1b[?25h")[0]
    assert progress.count("\n") <= 1
    assert "epoch 12/12" in progress or "trained, measuring" in progress


INTERRUPTED = """
import os, signal, sys, threading, time
import ae_multi.training.plan as plan
real, (signal_name, wait) = plan.Trial.works, sys.argv[-2:]
del sys.argv[-2:]
def works(self, name):
    # The signal is sent while this plan is traced and compiled.
    number = getattr(signal, signal_name)
    threading.Timer(float(wait), os.kill, (os.getpid(), number)).start()
    return real(self, name)
plan.Trial.works = works
from ae_multi.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.parametrize(("signal_name", "wait"), [("SIGINT", "0.2"), ("SIGTERM", "0.6")])
def test_signal_during_compilation_exits_with_130(signal_name, wait, tmp_path):
    path = tmp_path / "model.keras"
    command = ("train", "--data=digits", "--epochs=500", f"--out={path}")
    process = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *command, signal_name, wait],
        env={**os.environ, "TMPDIR": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 130, process.stderr
    assert process.stderr.splitlines()[-1] == "ae-multi train: interrupted"
    assert "Traceback" not in process.stderr
    assert not path.exists()
    assert not [*tmp_path.glob(".model*")]


@pytest.mark.backend
@pytest.mark.once
def test_train_resumes_from_a_checkpoint(run_here, tmp_path):
    checkpoint = ("--no-save", "--checkpoint", tmp_path / "saved")
    command = ("train", "--data=digits", "--model=simple", *checkpoint)
    first = run_here(*command, "--epochs=2", "--checkpoint-every=5 steps", "--keep=2")
    assert first.returncode == 0, first.stderr
    assert len(list((tmp_path / "saved").glob("*.checkpoint"))) == 2
    refused = run_here(*command, "--epochs=3")
    assert refused.returncode == 2
    assert "or resume=True to resume" in refused.stderr
    resumed = run_here(*command, "--epochs=3", "--resume")
    assert "Resuming after epoch 2" in resumed.stderr
    finished = run_here(*command, "--epochs=3", "--resume")
    assert "Resuming after epoch 3" in finished.stderr
    assert "samples/s" not in finished.stdout


@pytest.mark.backend
@pytest.mark.once
def test_diverged_training_gives_one_line_of_error(run_here, tmp_path):
    arguments = ("--data", "digits", "--model", "deep", "--epochs", 2, "--learning-rate", 1e38)
    process = run_here("train", *arguments, "--out", tmp_path / "model.keras")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith("ae-multi train: Expected a finite loss")
    assert not (tmp_path / "model.keras").exists()
