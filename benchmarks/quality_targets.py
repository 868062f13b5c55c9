"""The rows of the table of quality: which task, which number of it, and what it should reach."""

import importlib
import os
import statistics
import time
from typing import NamedTuple

DIGITS = range(10)


class Row(NamedTuple):
    """One row.

    Attributes:
        task: name of a function of `ae_multi.tasks`, or "odds".
        measure: what is measured.
        form: how a number of it is written.
        required: what it has to reach; None for better than the best floor.
        target: what it should reach.
        higher: whether more is better.
        keywords: the task's own; lists of them are gone through, and results averaged.
        factor: what the task's number is multiplied with.
    """

    task: str
    measure: str
    form: str
    required: float | None
    target: float
    higher: bool = True
    keywords: tuple = ({},)
    factor: int = 1

    def text(self, value):
        """A number of this row, in words."""
        return format(value, self.form)

    def reached(self, value, floor):
        """Which of the two marks a value reaches beside a floor, in words."""
        sign = 1 if self.higher else -1
        if sign * value >= sign * self.target:
            return "hoped for"
        if self.required is None:
            return "wanted" if sign * value > sign * floor else "no"
        return "wanted" if sign * value >= sign * self.required else "no"


ROWS = {
    # Hinton & Salakhutdinov, Science 2006: the network, and 3.00 (figure 2B).
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
        "detect", "mean AUROC", ".4f", 0.82, 0.90, keywords=tuple({"strange": d} for d in DIGITS)
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
    """Run one row on this process's backend.

    Returns:
        Dict of ``ours``, ``floor`` as (name, number), ``parts`` with the numbers of each method
        in each part, ``seconds`` and ``provenance``.
    """
    asked = ROWS[row]
    begin = time.perf_counter()
    parts = _tables(seed) if asked.task == "odds" else list(_results(asked, seed))
    methods = [name for name in parts[0] if all(name in part for part in parts)]
    means = {name: statistics.fmean(part[name] for part in parts) for name in methods}
    ours, *floors = means
    best = (max if asked.higher else min)(floors, key=means.get)
    return {
        "ours": means[ours],
        "floor": (best, means[best]),
        "parts": parts,
        "seconds": time.perf_counter() - begin,
        "provenance": _provenance(),
    }


def _provenance():
    from ae_multi.environment import estimator_provenance

    return estimator_provenance()


def task_of(asked):
    """The function of `ae_multi.tasks` that a `Row` asks for."""
    return getattr(importlib.import_module(f"ae_multi.tasks.{asked.task}"), asked.task)


def _results(asked, seed):
    """The task's first measure by each method, for each of the keywords."""
    from ae_multi.tasks.result import Options

    task = task_of(asked)
    for keywords in asked.keywords:
        rows = task(Options(seed=seed), **keywords).rows
        yield {name: asked.factor * float(values[0]) for name, values in rows.items()}


def _tables(seed):
    from benchmarks.odds import measure as measure_tables

    return list(measure_tables(os.environ["AE_MULTI_ODDS"], seed).values())
