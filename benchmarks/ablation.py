"""One trial: a task with changed parameters, on training data only."""

import inspect
import statistics
import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ae_multi.tasks.result import Options
from benchmarks.quality_targets import ROWS, task_of
from benchmarks.splits import tables_without_test_rows, without_test_images


@dataclass(frozen=True)
class AblationOptions(Options):
    """Options of a task in a trial: evaluation data from the training set, changed parameters.

    Attributes:
        parameters: dict of parameter name to value, for the task's estimator.
    """

    parameters: dict = field(default_factory=dict)

    def load(self):
        """Load the training images and split them; the second split replaces the test images."""
        return without_test_images(super().load())

    def training(self, epochs="auto"):
        """Return the keywords of `Options.training`, updated with the changed parameters."""
        return {**super().training(epochs), **self.parameters}


def measure(row: str, parameters: dict[str, Any], seeds: int = 1) -> dict[str, Any]:
    """Run one trial on the backend of this process.

    Args:
        row: a name of `benchmarks.quality_targets.ROWS`.
        parameters: values that differ from the defaults, keywords of the task or parameters of
            its estimator.
        seeds: number of seeds, from 0 on, of weights, batch order, noise and clutter.

    Returns:
        Dict of ``value``, the row's measure on the evaluation split, the mean over ``values`` of
        each seed; ``epochs``, the median over the trainings; ``seconds`` of the trainings of one
        seed; and ``provenance``.
    """
    target = ROWS[row]
    runs_of = _on_tables if target.task == "odds" else _on_images
    by_seed = [list(runs_of(target, parameters, seed)) for seed in range(seeds)]
    values = [target.factor * statistics.fmean(run.value for run in runs) for runs in by_seed]
    return {
        "value": statistics.fmean(values),
        "values": values,
        "epochs": statistics.median_low(run.epochs for run in by_seed[-1]),
        "seconds": sum(run.seconds for run in by_seed[-1]),
        "provenance": by_seed[-1][0].provenance,
    }


class _Run(NamedTuple):
    """Result of one training."""

    value: float
    epochs: int
    seconds: float
    provenance: dict


def _on_images(target, parameters, seed):
    """Run the task with each of the row's keywords."""
    task = task_of(target)
    known = inspect.signature(task).parameters
    of_task = {name: value for name, value in parameters.items() if name in known}
    of_estimator = {name: value for name, value in parameters.items() if name not in known}
    for keywords in target.keywords:
        options = AblationOptions(seed=seed, parameters=of_estimator)
        result = task(options, **{**keywords, **of_task})
        value = float(next(iter(result.rows.values()))[0])
        yield _Run(value, result.settings["epochs"], result.seconds, result.provenance)


def _on_tables(target, parameters, seed):
    """Run the detector on each of the tables."""
    from sklearn.metrics import roc_auc_score

    from ae_multi import AnomalyDetector

    for train, others, anomalous in tables_without_test_rows():
        detector = AnomalyDetector(random_state=seed, **parameters)
        begin = time.perf_counter()
        detector.fit(train)
        seconds = time.perf_counter() - begin
        area = float(roc_auc_score(anomalous, detector.anomaly_score(others)))
        yield _Run(area, detector.n_iter_, seconds, detector.provenance_)
