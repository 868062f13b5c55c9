"""Progress of long jobs: bars on a terminal, a line every 30 seconds elsewhere."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Seconds between two lines in a log.
LINE_SECONDS = 30.0


@dataclass
class _Job:
    """Progress of one job.

    Attributes:
        label: what the job is doing.
        done: steps done.
        total: all steps, or None if unknown.
        ended: whether the job has ended.
        begin: time of the start, from `time.monotonic`.
        first: (time, steps done) at the first report of a step, or None before it.
    """

    label: str = "starting"
    done: int = 0
    total: int | None = None
    ended: bool = False
    begin: float = field(default_factory=time.monotonic)
    first: tuple[float, int] | None = None

    def advance(self, done: int) -> None:
        """Set the number of steps done."""
        self.done = done
        if done and not self.first:  # the time before the first step includes the compilation
            self.first = (time.monotonic(), done)

    def line(self, name: str, now: float) -> str:
        """Return a line for a log that describes the job at the time ``now``."""
        elapsed = now - self.begin
        counted = f"{self.done:,}/{self.total:,}, " if self.total else ""
        left = ""
        if self.total and self.first and self.first[1] < self.done < self.total:
            begin, before = self.first
            seconds = (now - begin) * (self.total - self.done) / (self.done - before)
            left = f", about {_clock(seconds)} left"
        return f"{name}: {counted}{self.label}; {_clock(elapsed)} elapsed{left}"


class JobProgress:
    """Context manager that displays the progress of one or more jobs.

    On a terminal each job has a bar with the elapsed and the remaining time. In a pipe or a file
    it has a line with the same information every 30 seconds.

    Args:
        console: the rich console to draw on.
    """

    def __init__(self, console: Console):
        self._console = console
        self._live = console.is_terminal and not console.is_dumb_terminal
        self._bars = Progress(
            TextColumn("{task.fields[job]:>10}", markup=False),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[counted]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
            disable=not self._live,
            # Only if stdout is a terminal too: output to a pipe must not be drawn on the terminal.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._jobs: dict[str, _Job] = {}
        self._tasks: dict[str, TaskID] = {}
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        self._bars.start()
        if not self._live:
            threading.Thread(target=self._write_lines, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._bars.stop()

    def update(
        self,
        name: str,
        label: str | None = None,
        done: int | None = None,
        total: int | None = None,
        ended: bool = False,
    ) -> None:
        """Display that ``done`` of ``total`` steps of the job ``name`` are done.

        Args:
            name: name of the job; a new name starts a new job.
            label: what the job is doing, or None to keep the last label.
            done: number of steps done, or None to keep the last number.
            total: number of all steps, or None to keep the last number.
            ended: whether the job has ended.
        """
        job = self._jobs.setdefault(name, _Job())
        job.label = job.label if label is None else label
        job.advance(job.done if done is None else done)
        job.total = job.total if total is None else total
        job.ended = ended
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=None, job=name, counted="")
        completed: float = job.done
        if job.total is not None and not ended:
            # A full bar stops its clock, so a bar is full only after the job has ended.
            completed = min(job.done, job.total * (1 - 1e-9))
        self._bars.update(
            self._tasks[name],
            description=job.label,
            counted=f"{job.done:,}/{job.total:,}" if job.total else "",
            completed=completed,
            total=job.total,
        )

    def print_line(self, text: str, style: str | None = None) -> None:
        """Print a line above the bars.

        Args:
            text: the line.
            style: a style of rich, or None.
        """
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    def log(self, text: str) -> None:
        """Print a line unless the console is a terminal, on which the bars show the same."""
        if not self._live:
            self._console.print(text, soft_wrap=True)

    def _write_lines(self):
        while not self._stopped.wait(LINE_SECONDS):
            now = time.monotonic()
            for name, job in list(self._jobs.items()):
                if not job.ended:
                    self.log(job.line(name, now))


class BackendProgress(JobProgress):
    """Context manager that displays the progress of the backends' processes.

    Pass the method `on_event` to `ae_multi.compare.compare` or `ae_multi.parity.check`.
    """

    def __init__(self, console: Console):
        super().__init__(console)
        self._messages: set[str] = set()

    def on_event(self, backend: str, event: Mapping[str, Any]) -> None:
        """Display an event of a backend's process.

        Args:
            backend: name of the backend.
            event: dict with the kind of the event under "event": "note", "progress", "trace",
                "result" or another one.
        """
        kind = event["event"]
        if kind == "note":
            # Every process sends the same notes: print each once.
            if event["message"] not in self._messages:
                self._messages.add(event["message"])
                self.print_line(event["message"], style="yellow")
        elif kind == "progress":
            is_last = event["done"] == event["total"]
            label = "measuring" if is_last else event["label"]
            self.update(backend, label, event["done"], event["total"])
        elif kind == "trace":
            self.log(f"{backend}: recorded")
            job = self._jobs.get(backend) or _Job()
            total = job.total or 1
            self.update(backend, "recorded", total, total, ended=True)
        elif kind == "result":
            self.log(
                f"{backend}: {event['model']} trained in {event['seconds']:.0f} s, "
                f"test MSE {event['test_mse']:.5f}"
            )
            job = self._jobs.get(backend) or _Job()
            self.update(backend, f"{event['model']} done", ended=job.done == job.total)
        elif backend not in self._jobs:
            self.update(backend)


class _LogHandler(logging.Handler):
    """Log handler that prints messages above the bars."""

    def __init__(self, progress):
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record):
        style = "yellow" if record.levelno >= logging.WARNING else None
        self._progress.print_line(record.getMessage(), style)


@contextlib.contextmanager
def job_progress(
    console: Console, name: str
) -> Iterator[Callable[[int, int, int, int, float], None]]:
    """Display the progress of a command that trains in this process, and the package's log.

    Args:
        console: the rich console to draw on.
        name: name of the command.

    Yields:
        A function of (epoch, epochs, steps done, all steps, loss), for
        `ae_multi.training.progress_bar.reporting`.
    """
    with JobProgress(console) as progress:
        progress.update(name)

        def report(epoch, epochs, done, total, loss):
            is_last = done == total
            label = "trained, measuring" if is_last else f"epoch {epoch}/{epochs}, loss {loss:.4g}"
            progress.update(name, label, done, total)

        log, handler = logging.getLogger("ae_multi"), _LogHandler(progress)
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        try:
            yield report
        finally:
            log.removeHandler(handler)
            log.setLevel(level)


def _clock(seconds):
    """Format seconds as minutes and seconds, 1:05, or with hours, 1:01:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
