"""Output of commands to any terminal, pipe or file."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["info"], ["--help"], ["compare", "--help"]])
def test_output_is_ascii_in_an_ascii_terminal(arguments):
    process = ae_multi_process(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.isascii()


@pytest.mark.parametrize("command", [["info"], ["--help"]])
def test_closed_pipe_is_not_an_error(command):
    read, write = os.pipe()
    os.close(read)
    process = ae_multi_process(*command, stdout=write)
    os.close(write)
    assert (process.returncode, process.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_unwritable_output_gives_one_line_of_error():
    with open("/dev/full", "w") as full:
        process = ae_multi_process("info", stdout=full)
    assert process.returncode == 1
    assert "No space left on device" in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_closed_streams_are_not_an_error():
    for closed in ("0<&-", "1>&-", "2>&-"):
        process = subprocess.run(
            f'"{sys.executable}" -m ae_multi info {closed}',
            shell=True,
            capture_output=True,
            text=True,
            env={**os.environ, "KERAS_BACKEND": ""},
            timeout=60,
            check=False,
        )
        assert (process.returncode, process.stderr) == (0, ""), closed


@pytest.mark.parametrize("settings", [{"COLUMNS": "20"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_output_is_printed_in_any_terminal(settings):
    import pty

    main_end, other_end = pty.openpty()
    process = ae_multi_process("info", stdout=other_end, stderr=other_end, env=settings)
    os.close(other_end)
    shown = os.read(main_end, 100_000).decode()
    os.close(main_end)
    assert process.returncode == 0
    assert "not installed" in shown.replace("\r\n", " ") or settings == {"COLUMNS": "20"}
    assert "Traceback" not in shown


def ae_multi_process(*arguments, **options):
    """Run ``ae-multi`` in a process; ``options`` are those of `subprocess.run`."""
    environment = {**os.environ, "KERAS_BACKEND": "", **options.pop("env", {})}
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(
        [sys.executable, "-m", "ae_multi", *arguments],
        env=environment,
        text=True,
        timeout=120,
        check=False,
        **streams,
    )
