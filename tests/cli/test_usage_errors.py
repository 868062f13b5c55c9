"""Help and usage errors of all commands."""

import pathlib
import sys

import pytest

from ae_multi.cli import main
from tests.reference.command import run_command

TASKS = ("reduce", "denoise", "detect", "segment", "features")


def test_help_lists_the_commands(capsys):
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
def test_compare_reports_usage_errors_before_any_work(
    arguments, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("ae-multi compare: Expected")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--epochs", "x"], ["--python", "jax"], ["--backends", ","]])
def test_unreadable_arguments_are_usage_errors(arguments, capsys):
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
def test_task_reports_usage_errors_before_any_work(
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
def test_detect_needs_a_table_and_its_label(arguments, message, capsys):
    assert main(["detect", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["train", *TASKS])
@pytest.mark.parametrize("backend", ["numpy", "openvino"])
def test_backend_that_cannot_train_gives_one_line_of_error(command, backend, capsys, monkeypatch):
    monkeypatch.setattr("ae_multi.backend_selection.select_backend", lambda: backend)
    arguments = ["--no-save"] if command == "train" else []
    assert main([command, *arguments]) == 2
    assert capsys.readouterr().err == (
        f"ae-multi {command}: Expected KERAS_BACKEND to name one of torch, tensorflow, jax, which "
        f"train models. Received: {backend!r}, which supports inference only.\n"
    )


@pytest.mark.parametrize("backend", ["numpy", "theano", "jax"])
def test_new_process_reports_an_unusable_backend_in_one_line(backend, pythons):
    # No framework is installed in this environment, and Theano is not a backend of Keras 3.
    process = run_command("reduce", KERAS_BACKEND=backend)
    assert process.returncode == 2
    assert process.stderr.startswith("ae-multi reduce: Expected ")
    assert len(process.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--out FILE.keras, where the trained model is saved, or --no-save. Received: neither"),
        (
            ["--no-save", "--checkpoint-every", "1 epoch"],
            "FOLDER with --checkpoint-every",
        ),
        (["--no-save", "--resume", "--keep", "2"], "--checkpoint FOLDER with --keep, --resume"),
        (["--no-save", "--checkpoint", "x", "--checkpoint-every", "1 day"], "'1 day'"),
        (["--no-save", "--model", "segmentation", "--latent-dim", "3"], "no latent_dim for segm"),
        (["--no-save", "--workers", "0"], "workers to be an integer of at least 1. Received: 0"),
        (["--no-save", "--workers", "2", "--restarts", "-1"], "--restarts of at least 0"),
        (["--no-save", "--workers", "2", "--worker-timeout", "0"], "--worker-timeout above 0 seco"),
        (["--no-save", "--workers", "3"], "such as 126 or 129. Received: 128"),
        (["--no-save", "--workers", "5", "--batch-size", "4"], "divide, such as 5. Received: 4"),
        (["--no-save", "--samples", "0"], "samples to be an integer of at least 1"),
        (["--no-save", "--json", "/nowhere/x.json"], "/nowhere is not a folder"),
        (["--no-save", "--model", "huge"], "simple, deep, conv, denoising, sparse, contractive, "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_train_reports_usage_errors_before_any_work(arguments, message, capsys):
    assert main(["train", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ae-multi train: Expected")
    assert message in error
    assert len(error.splitlines()) == 1


def test_compare_refuses_other_models(capsys):
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
        (["m.py:f", "--shape", "3", "--quick", "--epoch"], "--quick without --epoch, --training"),
        (["m.py:f", "g.py:f", "--weights", "w.keras"], "one model with --weights. Received: 2"),
        (["m.py:f", "--shape", "3", "--env", "a=x", "--backends", "jax"], "--env without --back"),
        (["m.py:f", "--shape", "3", "--env", "a=x", "--env", "a=y"], "each environment once"),
        (["m.py:f", "--shape", "3", "--env", "a=x"], "two or more environments. Received: a"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_parity_reports_usage_errors_before_any_work(arguments, message, capsys):
    assert main(["parity", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ae-multi parity: Expected")
    assert message in error
    assert len(error.splitlines()) == 1


def test_train_refuses_an_unwritable_output(capsys, tmp_path):
    assert main(["train", "--out", str(tmp_path / "no" / "model.keras")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["train", "--out", str(tmp_path / "model.h5")]) == 2
    assert "named .keras" in capsys.readouterr().err


@pytest.mark.backend
def test_requested_backend_must_be_installed(backend, capsys):
    missing = next(name for name in ("torch", "tensorflow", "jax") if name != backend)
    assert main(["compare", "--backends", f"{backend},{missing}"]) == 2
    assert f"Install it with: pip install {missing}." in capsys.readouterr().err


@pytest.mark.backend
@pytest.mark.once
def test_unknown_keras_backend_gives_one_line_of_error():
    process = run_command("train", "--data", "digits", "--no-save", KERAS_BACKEND="theano")
    assert process.returncode == 2
    message = "ae-multi train: Expected the environment variable KERAS_BACKEND"
    assert process.stderr.startswith(message)
    assert len(process.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.backend
@pytest.mark.once
def test_damaged_data_is_a_usage_error(tmp_path):
    path = tmp_path / "mnist.npz"
    path.write_bytes(b"nonsense")
    process = run_command("compare", "--data-path", path, "--json", tmp_path / "out.json")
    assert process.returncode == 2
    assert "Expected the .npz file" in process.stderr
    assert sorted(tmp_path.iterdir()) == [path]


def test_no_installed_backend_is_a_usage_error(pythons):
    # No framework is installed in this environment.
    process = run_command("compare")
    assert process.returncode == 2
    assert "pip install" in process.stderr
    assert pathlib.Path(sys.executable).exists()
