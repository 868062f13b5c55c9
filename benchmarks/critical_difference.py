"""Average ranks of methods over tables, and the diagram of critical differences.

Demšar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7 (2006): Friedman's
test says whether the methods differ at all, and Nemenyi's which differences of average ranks are
larger than chance explains.
"""

import os
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from ae_multi.io.atomic import atomic_write

_ALPHA = 0.05


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Return the average rank of each method, 1 for the best; ties share their mean rank.

    Args:
        values: measures of shape (tables, methods), the higher the better.
    """
    return rankdata(-values, axis=1).mean(axis=0)


def critical_difference(tables: int, methods: int) -> float:
    """Return Nemenyi's critical difference of average ranks, at the level 0.05."""
    quantile = studentized_range.ppf(1 - _ALPHA, methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(methods * (methods + 1) / (6 * tables)))


def friedman(values: np.ndarray) -> float:
    """Return the p-value of Friedman's test that all methods are equally good."""
    return float(friedmanchisquare(*values.T).pvalue)


def groups(ranks: np.ndarray, difference: float) -> list[tuple[float, float]]:
    """Return the largest ranges (lowest, highest) of ranks without a significant difference."""
    ordered, found = np.sort(ranks), []
    for low in ordered:
        high = ordered[ordered <= low + difference].max()
        if high > low and not any(other[1] >= high for other in found):
            found.append((float(low), float(high)))
    return found


def draw(panels: dict[str, dict[str, Any]], path: os.PathLike[str] | str) -> None:
    """Draw a diagram for each panel: an axis of ranks, and bars over methods that do not differ.

    Args:
        panels: dict of title to a dict of ``ranks``, a dict of method to average rank, and
            ``difference``, the critical difference.
        path: file of the figure.
    """
    rows = max(-(-len(panel["ranks"]) // 2) for panel in panels.values())
    size = (9, len(panels) * (1.5 + 0.28 * rows))
    figure = Figure(figsize=size, layout="constrained")
    for axes, (title, panel) in zip(
        figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels.items(), strict=True
    ):
        _draw_panel(axes, title, panel["ranks"], panel["difference"])
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)


def _draw_panel(axes: Axes, title: str, ranks: dict[str, float], difference: float) -> None:
    ordered = sorted(ranks, key=ranks.__getitem__)
    half = -(-len(ordered) // 2)
    low, high = 1, len(ordered)
    bars = groups(np.array(list(ranks.values())), difference)
    top = 0.5 + 0.25 * len(bars)
    axes.plot([low, high], [0, 0], "k-", linewidth=1)
    for rank in range(low, high + 1):
        axes.plot([rank, rank], [0, 0.12], "k-", linewidth=1)
        axes.text(rank, 0.2, str(rank), ha="center", va="bottom", fontsize=8)
    for number, (begin, end) in enumerate(bars):
        height = -0.3 - 0.25 * number
        axes.plot([begin - 0.04, end + 0.04], [height, height], "k-", linewidth=3)
    for number, method in enumerate(ordered):
        on_left = number < half
        row = number if on_left else len(ordered) - 1 - number
        height = -top - 0.5 * (row + 1)
        edge = low - 0.3 if on_left else high + 0.3
        axes.plot([ranks[method], ranks[method], edge], [0, height, height], "-", color="#555555",
                  linewidth=0.8)  # fmt: skip
        axes.text(
            edge, height, f" {method} ({ranks[method]:.2f}) ", va="center", fontsize=9,
            ha="right" if on_left else "left", weight="bold" if method == "ae_multi" else None,
        )  # fmt: skip
    axes.plot([low, low + difference], [0.95, 0.95], "k-", linewidth=1.5)
    axes.text(low + difference, 0.95, f" critical difference {difference:.2f}", va="center",
              fontsize=8)  # fmt: skip
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlim(low - 4, high + 4)
    axes.set_ylim(-top - 0.5 * (half + 1), 1.3)
    axes.set_axis_off()
