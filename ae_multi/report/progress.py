"""A progress bar for each backend."""

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class BackendProgress:
    """Shows events of `ae_multi.parity` as bars; a log gets a line for each start and end.

    Use as a context manager, and hand `on_event` to `compare` or `check`.

    Args:
        console: the rich console to draw on.
    """

    def __init__(self, console):
        self._console = console
        self._bars = Progress(
            TextColumn("{task.fields[backend]:>10}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks, self._noted = {}, set()

    def __enter__(self):
        self._bars.start()
        return self

    def __exit__(self, *exception):
        self._bars.stop()

    def on_event(self, backend, event):
        """Show one event."""
        if backend not in self._tasks:
            self._tasks[backend] = self._bars.add_task("starting", total=None, backend=backend)
        task = self._tasks[backend]
        if event["event"] == "note":
            # What every process has to say is said once.
            if event["message"] not in self._noted:
                self._noted.add(event["message"])
                self._console.print(event["message"], style="yellow", markup=False, soft_wrap=True)
        elif event["event"] == "progress":
            done = event["done"] == event["total"]
            self._bars.update(
                task,
                completed=event["done"],
                total=event["total"],
                description="measuring" if done else event["label"],
            )
        elif event["event"] == "trace":
            if not self._console.is_terminal:
                self._console.print(f"{backend}: recorded")
            task_total = self._bars.tasks[task].total or 1
            self._bars.update(task, completed=task_total, total=task_total, description="recorded")
        elif event["event"] == "result":
            if not self._console.is_terminal:
                self._console.print(
                    f"{backend}: {event['model']} trained in {event['seconds']:.0f} s, "
                    f"test MSE {event['test_mse']:.5f}"
                )
            self._bars.update(task, description=f"{event['model']} done")
