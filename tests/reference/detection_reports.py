"""Reports on anomaly scores, made without a detector."""

import numpy as np

from ae_multi.tasks.report_columns import Typical
from ae_multi.tasks.report_contents import DetectionReport
from ae_multi.tasks.report_points import select_points

PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+k"
    "cQAAAABJRU5ErkJggg=="
)


def detection_report(rows=500, columns=("a", "b", "c"), alarms=20, labels=True, **changes):
    """Return a report on random scores, of which ``alarms`` are beyond the threshold."""
    rng = np.random.default_rng(0)
    scores = rng.lognormal(size=rows)
    threshold = float(np.sort(scores)[-alarms - 1])
    strangest = np.argsort(-scores)[:12]
    points, thinning = select_points(scores, threshold, 5000, 5000)
    contents = {
        "title": "Anomalies",
        "facts": {"Model": "a network"},
        "scores": scores,
        "threshold": threshold,
        "ids": [f"row-{number}" for number in range(rows)],
        "points": points,
        "thinning": thinning,
        "map_points": rng.normal(size=(len(points), 2)),
        "map_axes": ("first", "second"),
        "reasons": [f"{columns[0]}: 1 (60 %)"] * len(points),
        "strangest": strangest,
        "columns": list(columns),
        "contributions": rng.random((len(strangest), len(columns))),
        "values": [["1.5"] * len(columns) for _ in strangest],
        "typical": [Typical("0.5", "0", "1")] * len(columns),
        "column_shares": rng.dirichlet(np.ones(len(columns)), 2),
        "anomalous": rng.random(rows) < 0.1 if labels else None,
        "baselines": {"PCA-2": scores + rng.normal(size=rows), "reversed": -scores},
    }
    return DetectionReport(**contents | changes)
