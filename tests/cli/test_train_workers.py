"""Worker processes of `ae-multi train`: their arguments, and options that do not fit together."""

import pytest

from ae_multi.cli import main
from ae_multi.errors import WorkerError


@pytest.fixture
def launched(monkeypatch):
    """Return the list of launches, each a dict, which start no process."""
    launches = []

    def launch(command, workers, restarts, timeout, warn):
        arguments = [command(attempt)[1:] for attempt in range(2)]
        launches.append(
            {"arguments": arguments, "settings": (workers, restarts, timeout), "warn": warn}
        )
        return 0

    for name in ("RANK", "WORLD_SIZE", "AE_MULTI_LAUNCHER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ae_multi.cli.train_workers.launch", launch)
    monkeypatch.setattr("ae_multi.cli.train_workers.select_training_backend", lambda: "jax")
    return launches


def test_workers_train_with_the_same_arguments(launched):
    arguments = ["train", "--no-save", "--workers", "2", "--seed", "3"]
    assert main(arguments) == 0
    (launch,) = launched
    assert launch["settings"] == (2, 0, 600.0)
    assert launch["arguments"] == [["-m", "ae_multi", *arguments]] * 2


def test_restart_resumes_from_the_checkpoint(launched, tmp_path):
    arguments = ["train", "--no-save", "--restarts", "3", "--checkpoint", str(tmp_path)]
    assert main([*arguments, "--worker-timeout", "30"]) == 0
    (launch,) = launched
    assert launch["settings"] == (1, 3, 30.0)
    first, second = launch["arguments"]
    assert "--resume" not in first
    assert second == [*first, "--resume"]


def test_restart_without_a_checkpoint_begins_anew(launched):
    assert main(["train", "--no-save", "--workers", "2", "--restarts", "1"]) == 0
    first, second = launched[0]["arguments"]
    assert first == second


def test_restarts_are_reported_on_standard_error(launched, capsys):
    main(["train", "--no-save", "--workers", "2"])
    launched[0]["warn"]("worker 1 was ended by SIGKILL; restart 1 of 2")
    expected = "ae-multi train: worker 1 was ended by SIGKILL; restart 1 of 2\n"
    assert capsys.readouterr().err == expected


def test_failed_workers_exit_with_1(monkeypatch, launched, capsys):
    def launch(*arguments):
        raise WorkerError("Expected 2 workers that finish. Received: worker 1 ended with status 1.")

    monkeypatch.setattr("ae_multi.cli.train_workers.launch", launch)
    assert main(["train", "--no-save", "--workers", "2"]) == 1
    assert capsys.readouterr().err.startswith("ae-multi train: Expected 2 workers that finish.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "2"], "either --workers or a launcher that sets RANK and WORLD_SIZE"),
        (["--restarts", "2"], "either --restarts or a launcher"),
        (["--batch-size", "33"], "2 workers divide, such as 32 or 34. Received: 33"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_options_that_another_launcher_excludes_are_refused(
    arguments, message, launched, monkeypatch, capsys
):
    group = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    for name, value in group.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "--no-save", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not launched
