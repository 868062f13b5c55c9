"""One trial: a task with other parameters than its own, on the training images alone."""

import inspect
import statistics
from dataclasses import dataclass, field

from ae_multi.tasks.result import Options
from benchmarks.parts import without_test_images
from benchmarks.rows import ROWS, task_of


@dataclass(frozen=True)
class Trial(Options):
    """What a task is asked in a trial: other data to score, other parameters.

    Attributes:
        parameters: of the task's estimator, by name.
    """

    parameters: dict = field(default_factory=dict)

    def load(self):
        """The training images in two parts, of which the second stands for the test images."""
        return without_test_images(super().load())

    def training(self, epochs="auto"):
        """As `Options.training`, and what is tried."""
        return {**super().training(epochs), **self.parameters}


def measure(row, parameters, seeds=1):
    """One trial on this process's backend.

    Args:
        row: a name of `benchmarks.rows.ROWS` that a task is measured for.
        parameters: what differs from the defaults: the task's own keywords, and its estimator's.
        seeds: how many, from 0 on; of weights, order, noise and clutter.

    Returns:
        Dict of ``value``, the row's measure on the part that was not learned from, its mean over
        ``values`` of each seed; ``epochs``, ``seconds`` of one training, and ``provenance``.
    """
    asked = ROWS[row]
    task = task_of(asked)
    known = inspect.signature(task).parameters
    own = {name: value for name, value in parameters.items() if name in known}
    others = {name: value for name, value in parameters.items() if name not in known}
    values = []
    for seed in range(seeds):
        results = [
            task(Trial(seed=seed, parameters=others), **{**keywords, **own})
            for keywords in asked.keywords
        ]
        found = (float(next(iter(result.rows.values()))[0]) for result in results)
        values.append(asked.factor * statistics.fmean(found))
    return {
        "value": statistics.fmean(values),
        "values": values,
        "epochs": results[0].settings["epochs"],
        "seconds": sum(result.seconds for result in results),
        "provenance": results[0].provenance,
    }
