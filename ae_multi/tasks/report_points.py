"""Selection of the rows that plots show, and their positions in the map of codes."""

from __future__ import annotations

import numpy as np

from ae_multi.baselines import fit_pca
from ae_multi.tasks.report_columns import percent

# Number of rows with the highest scores, which are always shown.
STRANGEST = 12


def select_points(
    scores: np.ndarray,
    threshold: float,
    max_alarms: int,
    max_others: int,
    unit: str = "rows",
    strangest: np.ndarray | None = None,
) -> tuple[np.ndarray, str]:
    """Select the rows that the plots show: those beyond the threshold, and others evenly.

    Args:
        scores: scores (n,).
        threshold: threshold of the alarms.
        max_alarms: largest number of alarms, those with the highest scores.
        max_others: largest number of other rows.
        unit: name of the rows.
        strangest: rows that are always kept; None for those of `strangest_rows`.

    Returns:
        (indices in ascending order, a sentence that says which rows are selected).
    """
    is_alarm = scores > threshold
    alarms, others = np.flatnonzero(is_alarm), np.flatnonzero(~is_alarm)
    kept = alarms[np.argsort(-scores[alarms], kind="stable")[:max_alarms]]
    step = max(1, -(-len(others) // max_others))
    always = strangest_rows(scores) if strangest is None else strangest
    points = np.union1d(np.union1d(kept, always), others[::step])
    if len(points) == len(scores):
        return points, f"The plots show all {unit}."
    which = f"all {len(alarms):,}" if len(kept) == len(alarms) else f"the highest {len(kept):,}"
    every = f"every {_ordinal(step)} of the others" if step > 1 else "all others"
    return points, (
        f"The plots show {len(points):,} of {len(scores):,} {unit}: {which} beyond the fitted "
        f"threshold, and {every}."
    )


def strangest_rows(scores: np.ndarray, distance: int = 1) -> np.ndarray:
    """Return the indices of up to 12 rows with the highest scores, the highest first.

    Args:
        scores: scores (n,).
        distance: smallest distance of two of the rows. In a series, the rows around the strangest
            one belong to the same anomaly.
    """
    chosen: list[int] = []
    for row in np.argsort(-scores, kind="stable"):
        if all(abs(row - other) >= distance for other in chosen):
            chosen.append(int(row))
            if len(chosen) == STRANGEST:
                break
    return np.array(chosen)


def _ordinal(number: int) -> str:
    if number == 2:
        return "other one"
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else suffix}"


def map_of_codes(codes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Return (positions (n, 2), labels of the axes) of the map of codes."""
    if codes.shape[1] == 1:
        return np.column_stack([codes[:, 0], scores]), ("code", "score")
    if codes.shape[1] == 2 or len(codes) < 3 or np.all(codes == codes[0]):
        return codes[:, :2].astype(np.float64), ("code 1", "code 2")
    pca = fit_pca(codes, 2)
    first, second = pca.explained_variance_ratio_
    labels = (
        f"first principal component of the codes ({percent(first)} of the variance)",
        f"second ({percent(second)})",
    )
    return pca.transform(codes).astype(np.float64), labels
