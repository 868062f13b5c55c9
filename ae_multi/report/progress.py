"""Progress of long jobs: bars on a terminal, a line every half a minute elsewhere."""

import contextlib
import logging
import sys
import threading
import time
from dataclasses import dataclass, field

from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

# Seconds between two lines in a log.
LINE_SECONDS = 30.0


@dataclass
class _Job:
    """How far one job is."""

    label: str = "starting"
    done: int = 0
    total: int | None = None
    ended: bool = False
    begin: float = field(default_factory=time.monotonic)
    first: tuple = ()

    def advance(self, done):
        """Note that ``done`` steps are taken."""
        self.done = done
        if done and not self.first:  # what was before belongs to no step
            self.first = (time.monotonic(), done)

    def line(self, name, now):
        """Describe the job in a line for a log."""
        elapsed = now - self.begin
        counted = f"{self.done:,}/{self.total:,}, " if self.total else ""
        left = ""
        if self.total and self.first and self.first[1] < self.done < self.total:
            begin, before = self.first
            seconds = (now - begin) * (self.total - self.done) / (self.done - before)
            left = f", about {_clock(seconds)} left"
        return f"{name}: {counted}{self.label}; {_clock(elapsed)} elapsed{left}"


class JobProgress:
    """Shows how far one or more jobs are.

    On a terminal each job has a bar with the time that it has taken and the time that is left.
    In a pipe or a file a line every 30 seconds says the same.

    Use as a context manager.

    Args:
        console: the rich console to draw on.
    """

    def __init__(self, console):
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
            # Only where both go to the terminal: a pipe's output must not end up there.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._jobs, self._tasks = {}, {}
        self._stopped = threading.Event()

    def __enter__(self):
        self._bars.start()
        if not self._live:
            threading.Thread(target=self._write_lines, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._stopped.set()
        self._bars.stop()

    def update(self, name, label=None, done=None, total=None, ended=False):
        """Show that the job ``name`` has taken ``done`` of ``total`` steps.

        Args:
            name: of the job; a new name begins a new job.
            label: what the job is doing, or None for what it was doing before.
            done: steps taken, or None for as many as before.
            total: steps in all, or None for as many as before.
            ended: whether the job is done.
        """
        job = self._jobs.setdefault(name, _Job())
        job.label = job.label if label is None else label
        job.advance(job.done if done is None else done)
        job.total = job.total if total is None else total
        job.ended = ended
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=None, job=name, counted="")
        # A bar that is full stops its clock, so it is full only where the job is done.
        full = job.total is None or ended
        self._bars.update(
            self._tasks[name],
            description=job.label,
            counted=f"{job.done:,}/{job.total:,}" if job.total else "",
            completed=job.done if full else min(job.done, job.total * (1 - 1e-9)),
            total=job.total,
        )

    def say(self, text, style=None):
        """Print a line above the bars."""
        self._console.print(text, style=style, markup=False, soft_wrap=True)

    def log(self, text):
        """Print a line in a log; a terminal shows the same by its bars."""
        if not self._live:
            self._console.print(text, soft_wrap=True)

    def _write_lines(self):
        while not self._stopped.wait(LINE_SECONDS):
            now = time.monotonic()
            for name, job in list(self._jobs.items()):
                if not job.ended:
                    self.log(job.line(name, now))


class BackendProgress(JobProgress):
    """Shows events of `ae_multi.parity`; hand `on_event` to `compare` or `check`."""

    def __init__(self, console):
        super().__init__(console)
        self._noted = set()

    def on_event(self, backend, event):
        """Show one event of a backend's process."""
        kind = event["event"]
        if kind == "note":
            # What every process has to say is said once.
            if event["message"] not in self._noted:
                self._noted.add(event["message"])
                self.say(event["message"], style="yellow")
        elif kind == "progress":
            ends = event["done"] == event["total"]
            label = "measuring" if ends else event["label"]
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


class _Notes(logging.Handler):
    """Prints what the package logs above the bars."""

    def __init__(self, progress):
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record):
        style = "yellow" if record.levelno >= logging.WARNING else None
        self._progress.say(record.getMessage(), style)


@contextlib.contextmanager
def job_progress(console, name):
    """Show how far a command is that works in this process, and what the package logs.

    Args:
        console: the rich console to draw on.
        name: of the command.

    Yields:
        A function to hand to `ae_multi.training.progress.reporting`.
    """
    with JobProgress(console) as progress:
        progress.update(name)

        def report(epoch, epochs, done, total, loss):
            ends = done == total
            label = "trained, measuring" if ends else f"epoch {epoch}/{epochs}, loss {loss:.4g}"
            progress.update(name, label, done, total)

        log, notes = logging.getLogger("ae_multi"), _Notes(progress)
        before = log.level
        log.addHandler(notes)
        log.setLevel(logging.INFO)
        try:
            yield report
        finally:
            log.removeHandler(notes)
            log.setLevel(before)


def _clock(seconds):
    """Seconds as minutes and seconds, 1:05, or as hours, 1:01:05."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
