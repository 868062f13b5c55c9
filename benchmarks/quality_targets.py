"""Rows of the table of `benchmarks.quality`: task, measure, required value and target."""

import importlib
import os
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

DIGITS = range(10)


class Row(NamedTuple):
    """One row.

    Attributes:
        task: name of a function of `ae_multi.tasks`, or "odds".
        measure: name of the measure.
        form: format specification of its values.
        required: required value; None: better than the best baseline.
        target: target value.
        higher: whether higher is better.
        keywords: keywords of the task, a dict for each run; the results are averaged.
        factor: factor by which the task's value is multiplied.
    """

    task: str
    measure: str
    form: str
    required: float | None
    target: float
    higher: bool = True
    keywords: tuple = ({},)
    factor: int = 1

    def text(self, value: float) -> str:
        """Format a value of this row."""
        return format(value, self.form)

    def reached(self, value: float, baseline: float) -> str:
        """Return "target" or "required", the higher of the two that was reached, or "no".

        Args:
            value: the value of the estimator.
            baseline: the value of the best baseline.
        """
        sign = 1 if self.higher else -1
        if sign * value >= sign * self.target:
            return "target"
        if self.required is None:
            return "required" if sign * value > sign * baseline else "no"
        return "required" if sign * value >= sign * self.required else "no"


ROWS = {
    # The network and the error of 3.00 are those of Hinton & Salakhutdinov, Science 2006, fig. 2B.
    "reduce-30": Row(
        "reduce", "squared error of an image", ".2f", 4.0, 3.0, False,
        ({"latent_dim": 30, "hidden": (1000, 500, 250)},), 784,
    ),
    "reduce-9": Row("reduce", "test MSE", ".5f", 0.0180, 0.0150, False, ({"latent_dim": 9},)),
    "reduce-32": Row("reduce", "test MSE", ".5f", 0.0100, 0.0050, False, ({"latent_dim": 32},)),
    "denoise-0.4": Row("denoise", "PSNR dB", ".2f", 21.5, 22.5, keywords=({"noise": 0.4},)),
    "denoise-0.5": Row("denoise", "PSNR dB", ".2f", 20.0, 21.0, keywords=({"noise": 0.5},)),
    "detect-one": Row(
        "detect", "mean AUROC", ".4f", 0.967, 0.98, keywords=tuple({"normal": d} for d in DIGITS)
    ),
    "detect-nine": Row(
        "detect", "mean AUROC", ".4f", 0.82, 0.90, keywords=tuple({"anomalous": d} for d in DIGITS)
    ),
    "odds": Row("odds", "mean AUROC", ".4f", 0.8143, 0.85),
    "features-9": Row(
        "features", "test accuracy", ".4f", None, 0.93, keywords=({"latent_dim": 9},)
    ),
    "features-32": Row(
        "features", "test accuracy", ".4f", None, 0.96, keywords=({"latent_dim": 32},)
    ),
    "segment": Row("segment", "IoU", ".4f", 0.85, 0.92),
}  # fmt: skip


def measure(row, seed):
    """Run one row on the backend of this process.

    Args:
        row: a name of `ROWS`.
        seed: integer.

    Returns:
        Dict of ``ours``; ``floor``, the best baseline as (name, value); ``parts``, for each run a
        dict of method to value; ``seconds`` and ``provenance``.
    """
    target = ROWS[row]
    begin = time.perf_counter()
    runs = _tables(seed) if target.task == "odds" else list(_results(target, seed))
    methods = [name for name in runs[0] if all(name in run for run in runs)]
    means = {name: statistics.fmean(run[name] for run in runs) for name in methods}
    ours, *baselines = means
    best = (max if target.higher else min)(baselines, key=means.get)
    return {
        "ours": means[ours],
        "floor": (best, means[best]),
        "parts": runs,
        "seconds": time.perf_counter() - begin,
        "provenance": _provenance(),
    }


def _provenance():
    from ae_multi.environment import estimator_provenance

    return estimator_provenance()


def task_of(row: Row) -> Callable[..., Any]:
    """Return the function of `ae_multi.tasks` of a row."""
    return getattr(importlib.import_module(f"ae_multi.tasks.{row.task}"), row.task)


def _results(row, seed):
    """Yield the first measure of each method, a dict for each of the row's keywords."""
    from ae_multi.tasks.result import Options

    task = task_of(row)
    for keywords in row.keywords:
        methods = task(Options(seed=seed), **keywords).rows
        yield {name: row.factor * float(values[0]) for name, values in methods.items()}


def _tables(seed):
    from benchmarks.odds import measure as measure_tables

    return list(measure_tables(os.environ["AE_MULTI_ODDS"], seed).values())
