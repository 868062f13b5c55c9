"""The command line: what it says, what it refuses, and what it leaves behind."""

import dataclasses
import io
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from ae_multi.cli import main
from ae_multi.compare.config import ALL_MODELS

EMPTY = {"KERAS_BACKEND": ""}
TASKS = ("reduce", "denoise", "detect", "segment", "features")


def ae_multi(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "ae_multi", *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def here(capsys):
    """A function that runs a command in this process, which has its backend imported."""

    def run(*arguments):
        status = main([*map(str, arguments)])
        return subprocess.CompletedProcess(arguments, status, *capsys.readouterr())

    return run


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in ("compare", "train", "info", *TASKS):
        assert command in shown


def test_no_command_is_a_usage_error(capsys):
    assert main([]) == 2
    assert "usage: ae-multi" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["compare", "train", "info", *TASKS])
def test_each_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: ae-multi {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs to be an integer of at least 1"),
        (["--epochs", "-5"], "epochs"),
        (["--batch-size", "0"], "batch_size"),
        (["--latent-dim", "0"], "latent_dim"),
        (["--learning-rate", "0"], "learning_rate"),
        (["--seed", "-1"], "seed"),
        (["--spread-runs", "-1"], "spread_runs"),
        (["--spread-runs", "1"], "spread_runs of at least 2, or 0"),
        (["--plans", "--figure", "a.png"], "--figure without --plans"),
        (["--model", "huge"], "simple, deep. Received: 'huge'"),
        (["--backends", "theano"], "torch, tensorflow, jax. Received: 'theano'"),
        (["--backends", "jax,jax"], "each backend once"),
        (["--python", "theano=/bin/python"], "Received: 'theano'"),
        (["--json", "/nowhere/out.json"], "/nowhere is not a folder"),
        (["--json", "/"], "the folder /"),
        (["--figure", "/nowhere/out.png"], "/nowhere is not a folder"),
        (["--figure", "out.gif"], ".png, .svg or .pdf. Received: out.gif"),
        (["--model", "deep,deep"], "each model once"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_usage_errors_are_found_before_any_work(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ae-multi compare: Expected")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--epochs", "x"], ["--python", "jax"], ["--backends", ","]])
def test_arguments_that_cannot_be_read_are_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", *arguments])
    assert ended.value.code == 2
    assert "error: argument" in capsys.readouterr().err


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs to be an integer of at least 1. Received: 0"),
        (["--samples", "1"], "samples to be an integer of at least 2. Received: 1"),
        (["--samples", "-1"], "samples to be an integer of at least 1. Received: -1"),
        (["--seed", "-1"], "seed to be an integer from 0"),
        (["--json", "/nowhere/out.json"], "/nowhere is not a folder"),
        (["--figure", "out.gif"], ".png, .svg or .pdf. Received: out.gif"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_task_finds_usage_errors_before_any_work(
    task, arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main([task, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ae-multi {task}: Expected")
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "t.csv"], "--label COLUMN together. Received: --data t.csv alone"),
        (["--label", "y"], "together. Received: --data auto and --label y"),
        (["--data", "t.csv", "--label", "y", "--data-path", "x"], "no --data-path with a table"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_detect_wants_a_table_and_its_label(arguments, message, capsys):
    assert main(["detect", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", *TASKS])
@pytest.mark.parametrize("backend", ["numpy", "openvino"])
def test_a_backend_that_cannot_train_is_one_clear_error(command, backend, capsys, monkeypatch):
    monkeypatch.setattr("ae_multi.selection.select_backend", lambda: backend)
    arguments = ["--no-save"] if command == "train" else []
    assert main([command, *arguments]) == 2
    assert capsys.readouterr().err == (
        f"ae-multi {command}: Expected KERAS_BACKEND to name one of torch, tensorflow, jax, which "
        f"train models. Received: {backend!r}, which only runs them forward.\n"
    )


@pytest.mark.parametrize("backend", ["numpy", "theano", "jax"])
def test_a_fresh_process_says_in_a_line_why_its_backend_cannot_train(backend, pythons):
    # No framework is installed here, and Theano is no backend of Keras 3.
    done = ae_multi("reduce", KERAS_BACKEND=backend)
    assert done.returncode == 2
    assert done.stderr.startswith("ae-multi reduce: Expected ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--out FILE.keras, where the trained model is saved, or --no-save. Received: neither"),
        (["--no-save", "--every", "1 epoch"], "--checkpoint FOLDER with --every"),
        (["--no-save", "--resume", "--keep", "2"], "--checkpoint FOLDER with --keep, --resume"),
        (["--no-save", "--checkpoint", "x", "--every", "1 day"], "'1 day'"),
        (["--no-save", "--model", "segmentation", "--latent-dim", "3"], "no latent_dim for segm"),
        (["--no-save", "--model", "huge"], "simple, deep, conv, denoising, sparse, contractive, "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_train_finds_usage_errors_before_any_work(arguments, message, capsys):
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ae-multi train: Expected")
    assert message in error
    assert len(error.splitlines()) == 1


def test_compare_takes_the_two_models_that_are_compared(capsys):
    assert main(["compare", "--model", "conv"]) == 2
    assert "Expected --model among simple, deep. Received: 'conv'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["m.py:f"],
            "--shape N,N,N (the shape of one sample, for data drawn from the seed) or",
        ),
        (["m.py:f", "--shape", "3", "--data", "digits"], "either --data or --shape. Received: bo"),
        (["m.py:f", "--shape", "3", "--batch-size", "0"], "batch_size to be an integer of at le"),
        (["m.py:f", "--shape", "3", "--steps", "0"], "steps to be an integer of at least 1"),
        (["m.py:f", "--shape", "3", "--training", "-1"], "at least 0. Received: -1"),
        (["m.py:f", "--shape", "3", "--epoch", "--figure", "x.gif"], ".png, .svg or .pdf"),
        (["m.py:f", "--shape", "3", "--json", "/nowhere/x.json"], "/nowhere is not a folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_parity_finds_usage_errors_before_any_work(arguments, message, capsys):
    assert main(["parity", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ae-multi parity: Expected")
    assert message in error
    assert len(error.splitlines()) == 1


def test_train_refuses_what_it_could_not_write(capsys, tmp_path):
    assert main(["train", "--out", str(tmp_path / "no" / "model.keras")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "model.h5")]) == 2
    assert "named .keras" in capsys.readouterr().err


@pytest.mark.backend
def test_a_backend_asked_for_by_name_must_be_there(backend, capsys):
    missing = next(name for name in ("torch", "tensorflow", "jax") if name != backend)
    assert main(["compare", "--backends", f"{backend},{missing}"]) == 2
    assert f"Install it with: pip install {missing}." in capsys.readouterr().err


@pytest.mark.backend
@pytest.mark.once
def test_an_unknown_keras_backend_is_one_clear_error():
    done = ae_multi("train", "--data", "digits", "--no-save", KERAS_BACKEND="theano")
    assert done.returncode == 2
    assert done.stderr.startswith("ae-multi train: Expected the environment variable KERAS_BACKEND")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.backend
def test_train_trains_and_saves(tmp_path, backend, digits):
    path = tmp_path / "model.keras"
    done = ae_multi("train", "--data", "digits", "--model", "simple", "--epochs", 3, "--out", path)
    assert done.returncode == 0, done.stderr
    assert f"SimpleAutoencoder on {backend}" in done.stdout
    assert "PCA with 32 components" in done.stdout
    assert "No better than predicting the mean image." in done.stdout  # three short epochs
    from ae_multi import load_model

    assert load_model(path).encode(digits.x_test).shape == (360, 32)


@pytest.fixture
def few_digits(monkeypatch, digits):
    """The first 40 digits in place of any data set."""
    few = dataclasses.replace(
        digits,
        **{name: getattr(digits, name)[:40] for name in ("x_train", "y_train", "x_test", "y_test")},
    )
    monkeypatch.setattr("ae_multi.data.load_data", lambda *arguments: few)
    return few


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("model", ALL_MODELS)
def test_train_trains_each_model_of_the_package(model, here, few_digits, tmp_path):
    path = tmp_path / "größe [1] $x.keras"
    done = here("train", "--model", model, "--epochs", 2, "--out", path, "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{ALL_MODELS[model]} on ")
    assert f"Saved: {path}" in done.stdout
    from ae_multi import load_model

    trained = load_model(path)
    assert type(trained).__name__ == ALL_MODELS[model]
    if model == "restoration":
        from ae_multi.tasks.denoise import with_noise

        restored = trained.restore(with_noise(few_digits.x_test, 0.4, 3, "test"))
        assert f"test MSE {np.mean((restored - few_digits.x_test) ** 2):.5f}" in done.stdout
    elif model == "segmentation":
        from sklearn.metrics import jaccard_score

        from ae_multi.data.clutter import clutter

        scenes, masks = clutter(few_digits.x_test, 3, "test")
        found = jaccard_score(masks.ravel(), trained.segment(scenes).ravel())
        assert f"test IoU {found:.4f}" in done.stdout
    else:
        restored = trained.reconstruct(few_digits.x_test)
        assert f"test MSE {np.mean((restored - few_digits.x_test) ** 2):.5f}" in done.stdout
        mean = few_digits.x_train.mean(axis=0)
        floor = np.mean((few_digits.x_test - mean) ** 2)
        assert f"the mean image: {floor:.5f}" in done.stdout
        assert "PCA with " in done.stdout


@pytest.mark.backend
@pytest.mark.once
@pytest.mark.parametrize("command", ["train", *TASKS])
def test_a_pipe_gets_no_bars_and_a_terminal_one_line(command, here, few_digits, monkeypatch):
    from ae_multi.report.tables import PlainConsole

    monkeypatch.setattr("ae_multi.tasks.result.load_data", lambda *arguments: few_digits)
    monkeypatch.setattr("ae_multi.report.progress.LINE_SECONDS", 0.1)
    own = {"train": ["--no-save", "--model", "simple"], "detect": ["--normal", 0]}
    arguments = [command, "--epochs", 12, *own.get(command, [])]
    piped = here(*arguments)
    assert piped.returncode == 0, piped.stderr
    for text in (piped.stdout, piped.stderr):
        assert "\r" not in text
        assert "━" not in text
    lines = piped.stderr.splitlines()
    assert all(line.startswith(f"{command}: ") and " elapsed" in line for line in lines), lines

    shown = io.StringIO()

    def terminal(stderr=False):
        return PlainConsole(file=shown, force_terminal=True, color_system=None, width=100)

    place = "train" if command == "train" else "tasks"
    monkeypatch.setattr(f"ae_multi.cli.{place}.console", terminal)
    assert here(*arguments).returncode == 0
    # All of one line, which is drawn again and again: results come after it.
    progress = shown.getvalue().partition("\x1b[?25h")[0]
    assert progress.count("\n") <= 1
    assert "epoch 12/12" in progress or "trained, measuring" in progress


@pytest.mark.backend
@pytest.mark.once
def test_results_are_in_their_files_where_they_cannot_be_printed(here, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ae_multi.cli.tasks.print_result", fail)
    path = tmp_path / "out.json"
    small = ("--data", "digits", "--samples", 30, "--epochs", 1)
    done = here("reduce", *small, "--json", path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ae-multi reduce: No space left on device"
    assert json.loads(path.read_text())["task"] == "reduce"


@pytest.mark.backend
@pytest.mark.once
def test_columns_of_any_name_are_drawn(here, tmp_path):
    path, figure = tmp_path / "p[bar] $\\frac{$.csv", tmp_path / "out $x_{$.png"
    rng = np.random.default_rng(0)
    names = ["price $ in {", "the same beginning 1", "the same beginning 2", "größe", "odd[1]"]
    rows = [",".join(names)]
    for place in range(60):
        odd = place % 6 == 0
        values = rng.normal(size=4) + 5 * odd
        rows.append(",".join([*map(str, values), str(int(odd))]))
    path.write_text("\n".join(rows), encoding="utf-8")
    done = here(
        "detect",
        "--data",
        path,
        "--label",
        "odd[1]",
        "--epochs",
        2,
        "--figure",
        figure,
    )
    assert done.returncode == 0, done.stderr
    assert f"Data: {path.name}, " in done.stdout
    assert "by column 'odd[1]'" in done.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")


INTERRUPTED = """
import os, signal, sys, threading, time
import ae_multi.training.plan as plan
real, (how, wait) = plan._Trial.works, sys.argv[-2:]
del sys.argv[-2:]
def works(self, name):
    # The signal comes while this plan is traced and compiled.
    number = getattr(signal, how)
    threading.Timer(float(wait), os.kill, (os.getpid(), number)).start()
    return real(self, name)
plan._Trial.works = works
from ae_multi.cli import main
main()
"""


@pytest.mark.backend
@pytest.mark.parametrize(("how", "wait"), [("SIGINT", "0.2"), ("SIGTERM", "0.6")])
def test_a_signal_while_steps_are_compiled_ends_with_130(how, wait, tmp_path):
    path = tmp_path / "model.keras"
    begin = ("train", "--data=digits", "--epochs=500", f"--out={path}")
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, *begin, how, wait],
        env={**os.environ, "TMPDIR": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": ""},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1] == "ae-multi train: interrupted"
    assert "Traceback" not in done.stderr
    assert not path.exists()
    assert not [*tmp_path.glob(".model*")]


@pytest.mark.backend
@pytest.mark.once
def test_train_goes_on_from_a_checkpoint(here, tmp_path):
    saved = ("--no-save", "--checkpoint", tmp_path / "saved")
    small = ("train", "--data=digits", "--model=simple", *saved)
    begun = here(*small, "--epochs=2", "--every=5 steps", "--keep=2")
    assert begun.returncode == 0, begun.stderr
    assert len(list((tmp_path / "saved").glob("*.checkpoint"))) == 2
    again = here(*small, "--epochs=3")
    assert again.returncode == 2
    assert "or resume=True to go on" in again.stderr
    again = here(*small, "--epochs=3", "--resume")
    assert "Goes on after epoch 2" in again.stderr
    ended = here(*small, "--epochs=3", "--resume")
    assert "Goes on after epoch 3" in ended.stderr
    assert "samples/s" not in ended.stdout


@pytest.mark.backend
@pytest.mark.once
def test_a_training_that_diverges_is_told_of_in_a_line(here, tmp_path):
    wild = ("--data", "digits", "--model", "deep", "--epochs", 2, "--learning-rate", 1e38)
    done = here("train", *wild, "--out", tmp_path / "model.keras")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ae-multi train: Expected a loss that is a num")
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.backend
@pytest.mark.once
def test_compare_shows_a_training_that_diverges(backend):
    done = ae_multi(
        "compare",
        "--data",
        "digits",
        "--model",
        "deep",
        "--epochs",
        2,
        "--learning-rate",
        1e38,
        "--backends",
        backend,
        "--spread-runs",
        2,
    )
    assert "the training diverged" in done.stdout, done.stderr


@pytest.mark.backend
@pytest.mark.once
def test_info_names_versions_devices_and_data(here, monkeypatch, tmp_path):
    monkeypatch.setenv("AE_MULTI_MNIST", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    done = here("info")
    assert done.returncode == 0, done.stderr
    assert "keras 3." in done.stdout
    assert done.stdout.count("not installed") == 2
    assert "or the sample in the package where there is no network" in done.stdout
    monkeypatch.setenv("AE_MULTI_MNIST", str(tmp_path))
    named = here("info")
    assert f"{tmp_path} (named by AE_MULTI_MNIST)" in named.stdout.replace("\n", "")


@pytest.mark.backend
@pytest.mark.once
def test_compare_with_the_one_backend_that_is_here(backend, tmp_path):
    out, figure = tmp_path / "out.json", tmp_path / "out.png"
    done = ae_multi(
        *("compare", "--data", "digits", "--epochs", 2, "--spread-runs", 2),
        *("--model", "simple", "--json", out, "--figure", figure),
    )
    assert done.returncode == 0, done.stderr
    assert "one backend" in done.stdout
    assert done.stdout.count("which is not installed") == 2
    written = json.loads(out.read_text())
    assert [result["backend"] for result in written["results"]] == [backend]
    assert len(written["results"][0]["perturbed_test_mse"]) == 2
    plan = written["results"][0]["plan"]
    assert plan in ("graph", "inductor", "eager")
    assert f" {plan} " in done.stdout
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.backend
@pytest.mark.once
def test_damaged_data_is_one_clear_error(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"nonsense")
    done = ae_multi("compare", "--data-path", path, "--json", tmp_path / "out.json")
    assert done.returncode == 2
    assert "Expected the .npz file" in done.stderr
    assert sorted(tmp_path.iterdir()) == [path]


def test_nothing_installed_is_one_clear_error(pythons):
    # This test runs where no framework is.
    done = ae_multi("compare")
    assert done.returncode == 2
    assert "pip install" in done.stderr
    assert pathlib.Path(sys.executable).exists()
