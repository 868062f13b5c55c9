"""Summaries of the runs of `benchmarks.detection`: means over tables, ranks and worst tables."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.critical_difference import average_ranks
from benchmarks.detection_methods import CRITERIA, METHODS, OURS
from benchmarks.detection_tables import PROTOCOLS

_REFERENCES = ("ae_multi-mse", "PCA")

Run = dict[str, Any]


def matrix(
    runs: Sequence[Run], protocol: str, measure: str
) -> tuple[list[str], list[str], np.ndarray]:
    """Return the means over seeds of each table and method.

    Args:
        runs: recorded runs.
        protocol: the protocol.
        measure: "auroc" or "ap".

    Returns:
        (tables, methods, values), the values of shape (tables, methods). Tables that a method was
        not measured on are left out.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for run in runs:
        if run["protocol"] == protocol:
            values.setdefault((run["table"], run["method"]), []).append(run[measure])
    methods = [name for name in METHODS if any(key[1] == name for key in values)]
    tables = dict.fromkeys(key[0] for key in values)
    tables = [name for name in tables if all((name, method) in values for method in methods)]
    means = [[statistics.fmean(values[name, method]) for method in methods] for name in tables]
    return tables, methods, np.array(means).reshape(len(tables), len(methods))


def lines(runs: Sequence[Run], protocol: str) -> Iterator[tuple[str, ...]]:
    """Yield a row for each method, by average rank.

    A row has the method, mean AUROC, mean average precision, average rank by AUROC, and the
    largest AUROC by which one table is below that of `_REFERENCES`.
    """
    tables, methods, areas = matrix(runs, protocol, "auroc")
    if not tables:
        return
    precisions = matrix(runs, protocol, "ap")[2]
    # The detector's other scores are no competitors of its default.
    competing = [name == OURS or name not in CRITERIA for name in methods]
    ranks = np.full(len(methods), np.nan)
    ranks[competing] = average_ranks(areas[:, competing])
    order = sorted(range(len(methods)), key=lambda i: (np.isnan(ranks[i]), ranks[i]))
    for i in order:
        deficits = []
        for reference in _REFERENCES:
            if reference not in methods:
                deficits.append("")
                continue
            below = areas[:, methods.index(reference)] - areas[:, i]
            worst = int(np.argmax(below))
            deficits.append(f"{below[worst]:.3f} {tables[worst]}" if below[worst] > 0 else "none")
        rank = "" if np.isnan(ranks[i]) else f"{ranks[i]:.2f}"
        means = f"{areas[:, i].mean():.4f}", f"{precisions[:, i].mean():.4f}"
        yield (methods[i], *means, rank, *deficits)


def all_lines(runs: Sequence[Run]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of both protocols for the documents, each after the name of its protocol."""
    for protocol in PROTOCOLS:
        for row in lines(runs, protocol):
            yield (protocol, *row)


def table(runs: Sequence[Run], protocol: str) -> Table:
    """Return a table with a row for each method."""
    tables = matrix(runs, protocol, "auroc")[0]
    result = Table(
        "method", title=f"{protocol} training, {len(tables)} tables", title_justify="left"
    )
    for name in ("AUROC", "average precision", "rank", "most below mse", "most below PCA"):
        result.add_column(name, justify="right")
    for row in lines(runs, protocol):
        result.add_row(*row)
    return result
