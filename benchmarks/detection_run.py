"""One table of `benchmarks.detection`, in the process of one interpreter."""

import time
import warnings

from benchmarks import detection_tables
from benchmarks.detection_methods import BASELINES, CRITERIA, available, detector_scores


def measure(
    table: str, seeds: list[int], protocols: list[str], methods: list[str], max_rows: int | None
) -> dict:
    """Measure methods on one table.

    Args:
        table: a name of `benchmarks.detection_tables.names`.
        seeds: seeds of the rows, the splits and the methods.
        protocols: names of `benchmarks.detection_tables.PROTOCOLS`.
        methods: names of `benchmarks.detection_methods.METHODS`; those whose packages are not
            installed are left out.
        max_rows: as for `benchmarks.detection_tables.load`.

    Returns:
        Dict of ``runs``, a list of dicts of ``table``, ``protocol``, ``seed``, ``method``,
        ``auroc`` and ``ap``; ``seconds``; and ``provenance``.
    """
    from ae_multi.environment import estimator_provenance

    begin, runs = time.perf_counter(), []
    for seed in seeds:
        rows, labels = detection_tables.load(table, seed, max_rows)
        for protocol in protocols:
            train, test, marks = detection_tables.split(rows, labels, protocol, seed)
            for method, scores in _scores(train, test, seed, methods):
                run = {"table": table, "protocol": protocol, "seed": seed, "method": method}
                runs.append({**run, **_areas(marks, scores)})
    seconds = time.perf_counter() - begin
    return {"runs": runs, "seconds": seconds, "provenance": estimator_provenance()}


def _scores(train, test, seed, methods):
    """Yield (method, scores of the test rows)."""
    ours = [name for name in methods if name in CRITERIA]
    if ours:
        yield from detector_scores(train, test, seed, ours).items()
    for name in methods:
        if name in BASELINES and available(name):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # duplicates in LOF, deprecations in PyOD
                yield name, BASELINES[name](train, test, seed)


def _areas(marks, scores):
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {
        "auroc": round(float(roc_auc_score(marks, scores)), 5),
        "ap": round(float(average_precision_score(marks, scores)), 5),
    }
