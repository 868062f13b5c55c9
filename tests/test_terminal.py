"""What the command line prints: any name, in any encoding, to any reader."""

import io
import os
import signal
import subprocess
import sys
import time

import pytest
from rich.console import Console
from rich.table import Table

import ae_multi
from ae_multi.cli import main
from ae_multi.cli.status import status_of
from ae_multi.errors import InputError
from ae_multi.report import progress as progress_module
from ae_multi.report.progress import BackendProgress, JobProgress
from ae_multi.report.tables import PlainConsole, plain_table
from ae_multi.terminal import ERRORS, encodable

# Names that rich would take for markup, emoji, or a link.
NAMES = (
    "p[bar].csv",
    "[bold]x[/bold].csv",
    "[/nope].csv",
    ":smile:.csv",
    "[link=a].csv",
    r"\[b].csv",
)
ENCODINGS = ("ascii", "cp1252", "latin-1", "utf-8")


def ae_multi_process(*arguments, **options):
    """Run ``ae-multi``; stdout and stderr in text unless ``options`` say otherwise."""
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


@pytest.fixture
def terminal():
    """A console that writes to a string as to a terminal."""
    return PlainConsole(file=io.StringIO(), force_terminal=True, width=100, color_system=None)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_printed_as_they_are(name, terminal):
    table = plain_table(f"Parity of {name}")
    table.add_column(name)
    table.add_row(name)
    terminal.print(f"Saved: {name}")
    terminal.print(table)
    assert terminal.file.getvalue().count(name) == 4


@pytest.mark.parametrize("name", NAMES)
def test_progress_shows_names_as_they_are(name, terminal):
    with JobProgress(terminal) as progress:
        progress.update("job", f"reading {name}", 1, 2)
        progress.say(name, "yellow")
    assert terminal.file.getvalue().count(name) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_errors_show_names_as_they_are(name, capsys):
    assert main(["detect", "--data", name]) == 2
    assert f"Received: --data {name} alone" in capsys.readouterr().err


def test_escape_sequences_in_names_do_not_reach_the_terminal(capsys, terminal):
    terminal.print("a\x1b[31mb\tc")
    assert terminal.file.getvalue() == r"a\x1b[31mb\tc" + "\n"
    assert main(["detect", "--data", "a\x1b[2Jb.csv"]) == 2
    assert r"a\x1b[2Jb.csv" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_what_an_encoding_lacks_becomes_ascii(encoding):
    text = "8×8 ≤ 1e-5 └─┃ σ … μ"
    shown = encodable(text, io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    expected = {
        "ascii": "8x8 <= 1e-5 +-| sigma ... mu",
        "cp1252": "8×8 <= 1e-5 +-| sigma … mu",
        "latin-1": "8×8 <= 1e-5 +-| sigma ... mu",
        "utf-8": text,
    }[encoding].replace("8x8", "8×8" if encoding == "latin-1" else "8x8")
    assert shown == expected


def test_unknown_letters_and_undecodable_bytes_are_escaped():
    assert "größe漢\udcff".encode("ascii", ERRORS) == rb"gr\xf6\xdfe\u6f22\udcff"
    assert "\udcff".encode("utf-8", ERRORS) == rb"\udcff"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", ERRORS)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_and_errors_are_printed_in_any_encoding(encoding, monkeypatch):
    from ae_multi.report.tables import console

    raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
    for name, buffer in raw.items():
        monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding=encoding))
    table = plain_table("28×28 pixels of σ ≤ 0.4")
    table.add_column("größe")
    table.add_row("└ ─ 漢")
    console().print(table)

    def fail():
        raise InputError("Expected 8×8. Received: größe漢\udcff.")

    assert status_of("ae-multi", fail) == 2
    for name, buffer in raw.items():
        getattr(sys, name).flush()
        assert b"8" in buffer.getvalue()


@pytest.mark.parametrize("arguments", [["info"], ["--help"], ["compare", "--help"]])
def test_a_terminal_in_ascii_gets_all_output(arguments):
    done = ae_multi_process(*arguments, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


@pytest.mark.parametrize("command", [["info"], ["--help"]])
def test_a_reader_that_has_gone_is_no_error(command):
    read, write = os.pipe()
    os.close(read)
    done = ae_multi_process(*command, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_one_clear_error():
    with open("/dev/full", "w") as full:
        done = ae_multi_process("info", stdout=full)
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_closed_streams_are_no_error():
    for closed in ("0<&-", "1>&-", "2>&-"):
        done = subprocess.run(
            f'"{sys.executable}" -m ae_multi info {closed}',
            shell=True,
            capture_output=True,
            text=True,
            env={**os.environ, "KERAS_BACKEND": ""},
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), closed


@pytest.mark.parametrize("settings", [{"COLUMNS": "20"}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_any_kind_of_terminal_gets_the_output(settings):
    import pty

    main_end, other_end = pty.openpty()
    done = ae_multi_process("info", stdout=other_end, stderr=other_end, env=settings)
    os.close(other_end)
    shown = os.read(main_end, 100_000).decode()
    os.close(main_end)
    assert done.returncode == 0
    assert "not installed" in shown.replace("\r\n", " ") or settings == {"COLUMNS": "20"}
    assert "Traceback" not in shown


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"ae-multi {ae_multi.__version__}\n"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (OSError(28, "No space left on device", "out.json"), 1, "No space left on device: out.js"),
        (MemoryError("Unable to allocate 3 TiB"), 1, "out of memory. Unable to allocate 3 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["disk", "memory", "interrupt"],
)
def test_what_the_machine_refuses_is_one_line(error, status, message, capsys, monkeypatch):
    monkeypatch.setattr("ae_multi.cli.interrupts._is_leaving", False)

    def fail():
        raise error

    assert status_of("ae-multi train", fail) == status
    shown = capsys.readouterr().err
    assert shown.startswith(f"ae-multi train: {message}")
    assert len(shown.splitlines()) == 1


@pytest.fixture
def quick_lines(monkeypatch):
    """Lines in a log every 20 ms."""
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 0.02)


def wait_for(text, stream):
    end = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.01)


def test_a_log_gets_a_line_now_and_then_with_the_time_left(quick_lines):
    console = PlainConsole(file=io.StringIO(), width=100)
    with JobProgress(console) as progress:
        wait_for("", console.file)
        progress.update("train", "epoch 1/3, loss 0.5", 1, 4)
        wait_for("train: 1/4, epoch 1/3, loss 0.5; 0:00 elapsed\n", console.file)
        progress.update("train", "epoch 2/3, loss 0.4", 2, 4)
        wait_for("train: 2/4, epoch 2/3, loss 0.4; 0:00 elapsed, about 0:", console.file)
        progress.update("train", ended=True)
        written = console.file.getvalue()
    time.sleep(0.1)
    assert len(console.file.getvalue()) <= len(written) + 100
    assert "\r" not in console.file.getvalue()


def test_the_time_left_counts_from_the_first_step():
    job = progress_module._Job(total=100, begin=0.0, first=(60.0, 10), done=20)
    assert job.line("x", 70.0) == "x: 20/100, starting; 1:10 elapsed, about 1:20 left"
    assert progress_module._clock(3725) == "1:02:05"


def test_a_terminal_gets_one_line_for_the_whole_job(terminal):
    with JobProgress(terminal) as progress:
        for done in range(200):
            progress.update("detect", f"epoch {done // 20}/10, loss 0.1", done, 200)
            terminal.file.flush()
    assert terminal.file.getvalue().count("\n") <= 2
    assert "detect" in terminal.file.getvalue()


def test_a_dumb_terminal_gets_lines(quick_lines, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = PlainConsole(file=io.StringIO(), force_terminal=True)
    with JobProgress(console) as progress:
        progress.update("train", "working", 1, 4)
        wait_for("train: 1/4, working", console.file)


def test_a_backend_that_has_ended_is_not_reported_again(quick_lines):
    console = PlainConsole(file=io.StringIO(), width=100)
    result = {"event": "result", "model": "deep", "seconds": 1.0, "test_mse": 0.1}
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "progress", "done": 2, "total": 2, "label": "x"})
        progress.on_event("jax", result)
        before = console.file.getvalue()
        time.sleep(0.1)
        assert console.file.getvalue().count("done") == before.count("done")


def test_rich_still_has_its_markup():
    # Where this fails, `PlainConsole` has become needless.
    console = Console(file=io.StringIO(), width=40)
    table = Table("p[bar].csv")
    console.print(table)
    assert "p[bar].csv" not in console.file.getvalue()


WAITING = """
import sys, time
sys.argv = ["ae-multi", "info"]
import ae_multi.cli.info
def run(options):
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)
ae_multi.cli.info.run = run
from ae_multi.cli import main
main()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_command_with_130(how):
    process = subprocess.Popen(
        [sys.executable, "-c", WAITING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(how)
    process.send_signal(how)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (130, "cleaned\n", "ae-multi info: interrupted\n")


NOTICES = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796014250.019727   20019 port.cc:153] oneDNN custom operations are on.
2026-11-30 04:52:05.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
E0000 00:00:1796014250.019727   20019 cuda_dnn.cc:8579] Unable to register cuDNN factory
out of luck
"""


def test_notices_of_a_framework_are_hidden_and_errors_are_not(capfd):
    from ae_multi.cli.startup import _hidden

    with _hidden():
        os.write(2, NOTICES)
    lines = capfd.readouterr().err.splitlines()
    assert [line[:5] for line in lines] == ["E0000", "out o"]
    os.write(2, b"as before\n")
    assert capfd.readouterr().err == "as before\n"


STARTUP = """
import os, sys
import ae_multi.cli.startup as startup
startup.hide_notices()
with startup._hidden() if startup._hides else open(os.devnull):
    os.write(2, b"I0000 00:00:1796014250.019727   20019 port.cc:153] oneDNN\\n")
    print("progress", file=sys.stderr, flush=True)
"""


@pytest.mark.parametrize("level", [None, "0"])
def test_a_level_that_the_user_has_chosen_is_kept(level, fresh_python):
    done = fresh_python(STARTUP, TF_CPP_MIN_LOG_LEVEL=level)
    assert done.returncode == 0
    shown = ["I0000", "progr"] if level else ["progr"]
    assert [line[:5] for line in done.stderr.splitlines()] == shown


LOSING = """
import sys, time
sys.argv = ["ae-multi", "info"]
import ae_multi.cli.info, ae_multi.cli.interrupts
ae_multi.cli.interrupts._LOST = ae_multi.cli.interrupts._SAME = 0.2
def run(options):
    for _ in range(2):  # as a callback of a framework would
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            pass
    time.sleep(60)
ae_multi.cli.info.run = run
from ae_multi.cli import main
main()
"""


def test_an_interrupt_that_is_swallowed_is_raised_again():
    process = subprocess.Popen(
        [sys.executable, "-c", LOSING], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (130, "ae-multi info: interrupted\n")


def test_the_clock_runs_until_a_job_is_done(terminal):
    with JobProgress(terminal) as progress:
        progress.update("train", "measuring", 4, 4)
        (task,) = progress._bars.tasks
        assert not task.finished
        progress.update("train", ended=True)
        assert task.finished
    assert "4/4" in terminal.file.getvalue()
