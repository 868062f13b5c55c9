"""The command line: what it says, what it refuses, and what it leaves behind."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from ae_multi.cli import main

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


def test_train_refuses_what_it_could_not_write(capsys, tmp_path):
    assert main(["train", "--out", str(tmp_path / "no" / "model.keras")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "model.h5")]) == 2
    assert "named .keras" in capsys.readouterr().err


@pytest.mark.backend
def test_a_backend_asked_for_by_name_must_be_there(backend, capsys):
    missing = next(name for name in ("torch", "tensorflow", "jax") if name != backend)
    assert main(["compare", "--backends", f"{backend},{missing}"]) == 2
    assert f"pip install 'ae-multi[{missing}]'" in capsys.readouterr().err


@pytest.mark.backend
@pytest.mark.once
def test_an_unknown_keras_backend_is_one_clear_error():
    done = ae_multi("train", "--data", "digits", KERAS_BACKEND="theano")
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
    assert "Worse than PCA" in done.stdout  # three short epochs
    from ae_multi import load_model

    assert load_model(path).encode(digits.x_test).shape == (360, 32)


@pytest.mark.backend
@pytest.mark.once
def test_train_goes_on_from_a_checkpoint(here, tmp_path):
    small = ("train", "--data=digits", "--model=simple", "--checkpoint", tmp_path / "saved")
    begun = here(*small, "--epochs=2", "--every=5 steps", "--keep=2")
    assert begun.returncode == 0, begun.stderr
    assert len(list((tmp_path / "saved").glob("*.checkpoint"))) == 2
    again = here(*small, "--epochs=3")
    assert again.returncode == 2
    assert "or resume=True to go on" in again.stderr
    again = here(*small, "--epochs=3", "--resume")
    assert "Goes on after epoch 2" in again.stdout, again.stderr
    ended = here(*small, "--epochs=3", "--resume")
    assert "Goes on after epoch 3" in ended.stdout, ended.stderr
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
        "compare", "--data", "digits", "--model", "deep", "--epochs", 2, "--learning-rate", 1e38,
        "--backends", backend, "--spread-runs", 2,
    )  # fmt: skip
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
    assert "or the embedded digits where there is no network" in done.stdout
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
