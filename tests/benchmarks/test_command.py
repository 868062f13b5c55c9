"""Usage errors of the benchmark commands."""

import importlib
import json

import pytest

from ae_multi.cli.status import status_of
from ae_multi.errors import WorkerError
from benchmarks import command

COMMANDS = {
    "throughput": "--model",
    "scaling": "--axes",
    "quality": "--rows",
    "exports": "--model",
    "ablations": "--rows",
    "steps": "--model",
    "precision": "--model",
    "workers": "--model",
}
ALL = [*COMMANDS, "checkpoints"]


def main(name, *arguments):
    return importlib.import_module(f"benchmarks.{name}").main(arguments)


@pytest.mark.parametrize("name", ALL)
def test_help_lists_the_options(name, capsys):
    with pytest.raises(SystemExit, match="0"):
        main(name, "--help")
    output = capsys.readouterr().out
    specific = COMMANDS.get(name, "--pairs")
    assert all(option in output for option in ("--json", "--device", "--python", specific))


@pytest.mark.parametrize(("name", "option"), COMMANDS.items())
def test_unknown_name_is_a_usage_error(name, option, capsys):
    assert main(name, option, "nobody") == 2
    assert f"Expected {option} among" in capsys.readouterr().err


@pytest.mark.parametrize("name", ALL)
def test_missing_folder_is_a_usage_error(name, tmp_path, capsys):
    assert main(name, "--json", str(tmp_path / "missing" / "x.json")) == 2
    assert "Expected the JSON to go into an existing folder" in capsys.readouterr().err


def test_failure_exits_with_1(capsys):
    def fail():
        raise WorkerError("The torch process ended.")

    assert status_of("bench", fail) == 1
    assert capsys.readouterr().err == "bench: The torch process ended.\n"


def test_recorded_before_is_empty_without_a_file(tmp_path):
    path = tmp_path / "x.json"
    assert command.recorded_before(None, "runs") == command.recorded_before(path, "runs") == []
    path.write_text(json.dumps({"runs": [{"seed": 1}]}))
    assert command.recorded_before(path, "runs") == [{"seed": 1}]
