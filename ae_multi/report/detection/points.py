"""Rows or images as points of plots, with tooltips."""

from __future__ import annotations

from typing import Any

import numpy as np

from ae_multi.tasks.report_columns import shown_value
from ae_multi.tasks.report_contents import DetectionReport


def is_logarithmic(scores: np.ndarray) -> bool:
    """Return whether scores are drawn on a logarithmic axis: they are at least 0 and spread."""
    positive = scores[scores > 0]
    return bool(len(positive) and scores.min() >= 0 and positive.max() > 5 * np.median(positive))


def drawn_scores(scores: np.ndarray) -> np.ndarray:
    """Return scores with zeros replaced by the smallest positive one, if the axis needs it."""
    if not is_logarithmic(scores):
        return scores
    return np.maximum(scores, scores[scores > 0].min())


def point_source(report: DetectionReport, order: np.ndarray) -> Any:
    """Return the rows in the plots, ``report.points[order]``."""
    from bokeh.models import ColumnDataSource

    rows = report.points[order]
    alarms = report.alarms[rows]
    marks = [""] * len(rows)
    if report.anomalous is not None:
        marks = ["_dot" if label else "" for label in report.anomalous[rows]]
    columns: dict[str, Any] = {
        "x": report.map_points[order, 0],
        "y": report.map_points[order, 1],
        "t": positions(report)[rows],
        "drawn": drawn_scores(report.scores)[rows],
        "score": report.scores[rows],
        "name": [report.ids[row] for row in rows],
        "shape": [
            ("triangle" if alarm else "circle") + mark
            for alarm, mark in zip(alarms, marks, strict=True)
        ],
        "mark": marks,
        "size": np.where(alarms, 10.0, 7.0),
    }
    if report.map_axes[1] == "score":
        columns["y"] = columns["drawn"]
    if report.times is not None:
        columns["time"] = [shown_value(report.times[row]) for row in rows]
    if report.anomalous is not None:
        columns["label"] = ["anomalous" if label else "normal" for label in report.anomalous[rows]]
    if len(report.reasons):
        columns["reason"] = [report.reasons[number] for number in order]
    if len(report.thumbnails):
        columns["image"] = [report.thumbnails[number] for number in order]
    return ColumnDataSource(columns)


def positions(report: DetectionReport) -> np.ndarray:
    """Return the horizontal position of each row: its time, or its number."""
    times = report.times
    if times is None:
        return np.arange(len(report.scores), dtype=np.float64)
    if times.dtype.kind == "M":
        return times.astype("datetime64[ms]").astype(np.float64)
    return times


def draw_points(plot: Any, source: Any, x: str, y: str, **options: Any) -> Any:
    """Draw the rows; the selected one is larger."""
    points = plot.scatter(
        x,
        y,
        source=source,
        marker="shape",
        size="size",
        line_width=0.5,
        line_alpha=0.8,
        nonselection_fill_alpha=options.get("fill_alpha", 1.0),
        nonselection_line_alpha=0.8,
        **options,
    )
    points.selection_glyph = points.glyph.clone(size=22, line_width=4, line_alpha=1.0)
    return points


def glyphs_of(points: Any) -> tuple[Any, ...]:
    """Return the glyphs of points: of all, of selected ones, and of the others beside these."""
    return points.glyph, points.selection_glyph, points.nonselection_glyph


def add_hover(plot: Any, report: DetectionReport, points: Any) -> None:
    """Show a row or image in a tooltip, and select it by a click."""
    from bokeh.models import HoverTool, TapTool

    lines = [f"<b>{report.unit[:-1]} @name</b>", "score @score{%.4g}"]
    if report.times is not None:
        lines.append("@time")
    if report.anomalous is not None:
        lines.append("@label")
    if len(report.reasons):
        lines.append("@reason")
    text = "<br>".join(lines)
    if len(report.thumbnails):
        style = "width: 84px; image-rendering: pixelated; display: block"
        text = f'<img src="@image" alt="" style="{style}">{text}'
    tooltip = f'<div style="max-width: 17rem; overflow-wrap: anywhere">{text}</div>'
    plot.add_tools(
        HoverTool(renderers=[points], tooltips=tooltip, limit=1, formatters={"@score": "printf"}),
        TapTool(renderers=[points]),
    )
