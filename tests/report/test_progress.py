"""Progress of commands on terminals and in logs."""

import io
import time

import pytest
from rich.console import Console

from ae_multi.report import progress as progress_module
from ae_multi.report.progress import BackendProgress, JobProgress
from ae_multi.report.tables import PlainConsole
from tests.reference.comparisons import result_of
from tests.reference.names import NAMES


def test_log_contains_a_line_for_each_result():
    console = Console(file=io.StringIO(), width=100)
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "progress", "done": 1, "total": 2, "label": "deep"})
        progress.on_event("jax", {"event": "result", **result_of("deep", "jax")})
    assert console.file.getvalue().splitlines() == ["jax: deep trained in 12 s, test MSE 0.02200"]


def test_note_of_a_backend_is_one_line():
    console = Console(file=io.StringIO(), width=40)
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "note", "message": "MNIST is not available " * 3})
    assert len(console.file.getvalue().splitlines()) == 1


def test_terminal_shows_a_bar_for_each_backend():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with BackendProgress(console) as progress:
        for backend in ("torch", "jax"):
            progress.on_event(backend, {"event": "progress", "done": 1, "total": 4, "label": "x"})
    assert "torch" in console.file.getvalue()
    assert "1/4" in console.file.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_progress_shows_names_literally(name, terminal):
    with JobProgress(terminal) as progress:
        progress.update("job", f"reading {name}", 1, 2)
        progress.print_line(name, "yellow")
    assert terminal.file.getvalue().count(name) >= 2


@pytest.fixture
def quick_lines(monkeypatch):
    """Write a line to a log every 20 ms."""
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 0.02)


def wait_for(text, stream):
    end = time.monotonic() + 20
    while text not in stream.getvalue():
        assert time.monotonic() < end, stream.getvalue()
        time.sleep(0.01)


def test_log_contains_periodic_lines_with_the_remaining_time(quick_lines):
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


def test_remaining_time_is_extrapolated_from_the_first_step():
    job = progress_module._Job(total=100, begin=0.0, first=(60.0, 10), done=20)
    assert job.line("x", 70.0) == "x: 20/100, starting; 1:10 elapsed, about 1:20 left"
    assert progress_module._clock(3725) == "1:02:05"


def test_terminal_shows_one_line_for_a_job(terminal):
    with JobProgress(terminal) as progress:
        for done in range(200):
            progress.update("detect", f"epoch {done // 20}/10, loss 0.1", done, 200)
            terminal.file.flush()
    assert terminal.file.getvalue().count("\n") <= 2
    assert "detect" in terminal.file.getvalue()


def test_dumb_terminal_shows_lines_instead_of_a_bar(quick_lines, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    console = PlainConsole(file=io.StringIO(), force_terminal=True)
    with JobProgress(console) as progress:
        progress.update("train", "working", 1, 4)
        wait_for("train: 1/4, working", console.file)


def test_log_has_no_lines_for_an_ended_backend(quick_lines):
    console = PlainConsole(file=io.StringIO(), width=100)
    result = {"event": "result", "model": "deep", "seconds": 1.0, "test_mse": 0.1}
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "progress", "done": 2, "total": 2, "label": "x"})
        progress.on_event("jax", result)
        before = console.file.getvalue()
        time.sleep(0.1)
        assert console.file.getvalue().count("done") == before.count("done")


def test_bar_is_not_finished_until_the_job_ends(terminal):
    with JobProgress(terminal) as progress:
        progress.update("train", "measuring", 4, 4)
        (task,) = progress._bars.tasks
        assert not task.finished
        progress.update("train", ended=True)
        assert task.finished
    assert "4/4" in terminal.file.getvalue()
