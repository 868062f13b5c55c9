"""Contents of a report on anomaly scores: plain arrays and text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ae_multi.tasks.report_columns import Typical


@dataclass(frozen=True)
class DetectionReport:
    r"""Anomaly scores of n rows or images, and what explains them.

    Attributes:
        title: title of the report.
        facts: dict of label to text: what was trained on what.
        scores: anomaly scores, float64 (n,).
        threshold: rows with a larger score are alarms.
        ids: name of each row, (n,).
        points: indices (p,) of the rows in the plots, in ascending order.
        thinning: sentence that says which rows the plots show.
        map_points: position of these rows in the map of codes, (p, 2).
        map_axes: labels of the two axes of the map.
        reasons: text (p,) with the columns of the largest contributions; empty for images.
        strangest: indices (k,) of the rows with the highest scores, the highest first; of a time
            series, rows at least a window apart.
        columns: names of the columns; empty for images.
        contributions: contribution of each column to the scores of the strangest rows,
            (k, columns).
        values: values of the strangest rows as text, k lists of one text a column.
        typical: a `Typical` for each column, from the rows that are not alarms.
        column_shares: mean share of each column in the scores, (2, columns): of the alarms in the
            plots, and of the other rows there.
        times: times (n,) as datetime64 or numbers; None to draw scores by row.
        anomalous: whether each row is an anomaly, booleans (n,); None if unknown.
        baselines: dict of name to scores (n,).
        thumbnails: PNG data URI of each point, (p,); empty for tables.
        pictures: for the strangest images, k tuples of PNG data URIs: the image, its
            reconstruction and its error map.
        unit: "rows" or "images".
        window: for a time series, the number of rows of the windows whose codes the map shows.
    """

    title: str
    facts: Mapping[str, str]
    scores: np.ndarray
    threshold: float
    ids: Sequence[str]
    points: np.ndarray
    thinning: str
    map_points: np.ndarray
    map_axes: tuple[str, str]
    strangest: np.ndarray
    reasons: Sequence[str] = ()
    columns: Sequence[str] = ()
    contributions: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    values: Sequence[Sequence[str]] = ()
    typical: Sequence[Typical] = ()
    column_shares: np.ndarray = field(default_factory=lambda: np.zeros((2, 0)))
    times: np.ndarray | None = None
    anomalous: np.ndarray | None = None
    baselines: Mapping[str, np.ndarray] = field(default_factory=dict)
    thumbnails: Sequence[str] = ()
    pictures: Sequence[tuple[str, str, str]] = ()
    unit: str = "rows"
    window: int | None = None

    @property
    def alarms(self) -> np.ndarray:
        """Whether each row is beyond the threshold: booleans (n,)."""
        return self.scores > self.threshold
