"""One trial: a task with other parameters than its own, on training data alone."""

import inspect
import statistics
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from ae_multi.tasks.result import Options
from benchmarks.quality_targets import ROWS, task_of
from benchmarks.splits import tables_without_test_rows, without_test_images


@dataclass(frozen=True)
class AblationOptions(Options):
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
        row: a name of `benchmarks.quality_targets.ROWS`.
        parameters: what differs from the defaults: the task's own keywords, and its estimator's.
        seeds: how many, from 0 on; of weights, order, noise and clutter.

    Returns:
        Dict of ``value``, the row's measure on the part that was not learned from, its mean over
        ``values`` of each seed; ``epochs``, of the middle one where there are several trainings;
        ``seconds`` of the trainings of one seed, and ``provenance``.
    """
    asked = ROWS[row]
    runs = _on_tables if asked.task == "odds" else _on_images
    found = [list(runs(asked, parameters, seed)) for seed in range(seeds)]
    values = [asked.factor * statistics.fmean(run.value for run in each) for each in found]
    return {
        "value": statistics.fmean(values),
        "values": values,
        "epochs": statistics.median_low(run.epochs for run in found[-1]),
        "seconds": sum(run.seconds for run in found[-1]),
        "provenance": found[-1][0].provenance,
    }


class _Run(NamedTuple):
    """What one training came to."""

    value: float
    epochs: int
    seconds: float
    provenance: dict


def _on_images(asked, parameters, seed):
    """The task for each of its keywords."""
    task = task_of(asked)
    known = inspect.signature(task).parameters
    own = {name: value for name, value in parameters.items() if name in known}
    others = {name: value for name, value in parameters.items() if name not in known}
    for keywords in asked.keywords:
        result = task(AblationOptions(seed=seed, parameters=others), **{**keywords, **own})
        value = float(next(iter(result.rows.values()))[0])
        yield _Run(value, result.settings["epochs"], result.seconds, result.provenance)


def _on_tables(asked, parameters, seed):
    """The detector on each of the tables."""
    from sklearn.metrics import roc_auc_score

    from ae_multi import AnomalyDetector

    for train, others, anomalous in tables_without_test_rows():
        detector = AnomalyDetector(random_state=seed, **parameters)
        begin = time.perf_counter()
        detector.fit(train)
        seconds = time.perf_counter() - begin
        area = float(roc_auc_score(anomalous, detector.anomaly_score(others)))
        yield _Run(area, detector.n_iter_, seconds, detector.provenance_)
