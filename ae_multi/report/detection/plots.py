"""Plots of a report on anomaly scores: their distribution, course and map."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ae_multi.report.bokeh_plots import embedded, new_figure
from ae_multi.report.detection.points import (
    add_hover,
    draw_points,
    drawn_scores,
    glyphs_of,
    is_logarithmic,
    point_source,
    positions,
)
from ae_multi.tasks.report_contents import DetectionReport

_BINS, _INTERVALS = 60, 200
# Scores that the page stores exactly, the highest ones, to count alarms at any threshold.
MAX_STORED = 50_000
_COLOURS = 64


def plots(report: DetectionReport) -> dict[str, Any]:
    """Return the plots and the numbers that the page's script needs, as values for JSON."""
    from bokeh.models.annotations import BoxAnnotation, Span
    from matplotlib import colormaps

    # The rows with the highest scores are last, and drawn on top.
    order = np.argsort(report.scores[report.points], kind="stable")
    source = point_source(report, order)
    distribution, bars = _distribution(report)
    course, line, kinds = _course(report, source)
    codes, points, mapper = _map(report, source)
    style: dict[str, Any] = {"location": report.threshold, "line_width": 2, "line_dash": "dashed"}
    spans = [Span(dimension="height", **style), Span(dimension="width", **style)]
    distribution.add_layout(spans[0])
    course.add_layout(spans[1])
    beyond = BoxAnnotation(left=report.threshold, fill_alpha=0.12, line_color=None)
    distribution.add_layout(beyond)
    found = embedded({"distribution": distribution, "course": course, "map": codes})
    cividis = [
        "#" + bytes(int(255 * part) for part in colour[:3]).hex()
        for colour in colormaps["cividis"](np.linspace(0, 1, _COLOURS))
    ]
    glyphs = [points, course.renderers[0]]
    found["colours"] += [
        *([bar.glyph.id, f"{part}_color", v] for bar, v in bars for part in ("fill", "line")),
        *([glyph.id, "line_color", "--text"] for r in glyphs for glyph in glyphs_of(r)),
        [line.glyph.id, "line_color", "--text"],
        [beyond.id, "fill_color", "--bad"],
    ]
    places = {int(row): place for place, row in enumerate(report.points[order])}
    highest = np.argsort(report.scores, kind="stable")[-MAX_STORED:]
    truth = report.anomalous
    # The ends of the slider.
    ends = np.array([np.median(report.scores[highest]), report.scores.max(), report.threshold])
    low, high = float(ends.min()), float(ends.max())
    if is_logarithmic(report.scores) and low <= 0:
        low = float(drawn_scores(report.scores).min())
    return found | {
        "source": source.id,
        "thresholds": [span.id for span in spans],
        "beyond": beyond.id,
        "distribution": distribution.id,
        # Strange rows have the colours that contrast most with the page.
        "palettes": [
            [mapper.id, cividis[::-1], cividis],
            [kinds.id, *[["--jax"] * 2 + ["--torch"] * 2] * 2],
        ],
        "scores": _base64(report.scores[highest].astype("<f8")),
        "truth": None if truth is None else _base64(truth[highest].astype(np.uint8)),
        "strangest": [places[int(row)] for row in report.strangest],
        "rows": len(report.scores),
        "anomalies": None if truth is None else int(truth.sum()),
        "threshold": report.threshold,
        "low": low,
        "high": high if high > low else low + 1e-6 * (abs(low) or 1),
        "isLog": is_logarithmic(report.scores),
        "unit": report.unit,
    }


def _distribution(report: DetectionReport) -> tuple[Any, list[tuple[Any, str]]]:
    """Return (histogram, list of its bars with the variable of their colour)."""
    scores = drawn_scores(report.scores)
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        low, high = low - 0.5 * abs(low) - 1e-9, high + 0.5 * abs(high) + 1e-9
    is_log = is_logarithmic(report.scores)
    edges = np.geomspace(low, high, _BINS + 1) if is_log else np.linspace(low, high, _BINS + 1)
    edges[0], edges[-1] = low, high
    plot = new_figure(
        "Distribution of the scores",
        280,
        x_axis_type="log" if is_log else "linear",
        y_axis_type="log",
        x_axis_label="score",
        y_axis_label=report.unit,
    )
    plot.xgrid.grid_line_color = None
    if report.anomalous is None:
        groups = [("all", np.full(len(scores), True), "--jax")]
    else:
        groups = [
            ("normal", ~report.anomalous, "--jax"),
            ("anomalous", report.anomalous, "--torch"),
        ]
    bars = []
    for name, chosen, variable in groups:
        counts = np.histogram(scores[chosen], edges)[0]
        full = counts > 0
        options = {"legend_label": f"{name} ({chosen.sum():,})"} if len(groups) > 1 else {}
        bar = plot.quad(
            left=edges[:-1][full],
            right=edges[1:][full],
            bottom=0.6,
            top=counts[full],
            fill_alpha=0.45,
            line_width=1.5,
            hatch_pattern="right_diagonal_line" if name == "anomalous" else "blank",
            hatch_alpha=0.4,
            **options,
        )
        bars.append((bar, variable))
    plot.y_range.start = 0.6
    return plot, bars


def _course(report: DetectionReport, source: Any) -> tuple[Any, Any, Any]:
    """Return (scores by time or row, the line of their median, mapper of shapes to colours)."""
    from bokeh.models import CategoricalColorMapper

    times = report.times
    label = "row" if times is None else "time"
    plot = new_figure(
        f"Scores by {label}",
        300,
        x_axis_type="datetime" if times is not None and times.dtype.kind == "M" else "linear",
        y_axis_type="log" if is_logarithmic(report.scores) else "linear",
        x_axis_label=report.unit[:-1] if times is None else "time",
        y_axis_label="score",
    )
    plot.xgrid.grid_line_color = None
    shapes = ["circle", "circle_dot", "triangle", "triangle_dot"]
    kinds = CategoricalColorMapper(factors=shapes, palette=["#808080"] * len(shapes))
    colour = {"field": "shape", "transform": kinds}
    points = draw_points(plot, source, "t", "drawn", fill_color=colour, fill_alpha=0.6)
    places, scores = positions(report), drawn_scores(report.scores)
    order = np.argsort(places, kind="stable")
    groups = np.array_split(order, min(_INTERVALS, max(1, len(order) // 25)))
    line = plot.line(
        [float(np.median(places[group])) for group in groups],
        [float(np.median(scores[group])) for group in groups],
        line_width=2.5,
        legend_label="median of an interval",
    )
    plot.legend.location = "top_left"
    plot.legend.background_fill_alpha = 0.8
    add_hover(plot, report, points)
    return plot, line, kinds


def _map(report: DetectionReport, source: Any) -> tuple[Any, Any, Any]:
    """Return (map of codes, its points, its mapper of scores to colours)."""
    from bokeh.models import LinearColorMapper, LogColorMapper, PrintfTickFormatter
    from bokeh.models.annotations import ColorBar

    scores = drawn_scores(report.scores[report.points])
    is_log = is_logarithmic(report.scores)
    # A few extreme scores would leave all others one colour.
    low, high = np.quantile(scores, (0.02, 0.995))
    mapper = (LogColorMapper if is_log else LinearColorMapper)(
        palette=["#808080"], low=float(low), high=float(max(high, low * (1 + 1e-9) + 1e-12))
    )
    plot = new_figure(
        "Map of codes",
        520,
        x_axis_label=report.map_axes[0],
        y_axis_label=report.map_axes[1],
        y_axis_type="log" if is_log and report.map_axes[1] == "score" else "linear",
    )
    points = draw_points(plot, source, "x", "y", fill_color={"field": "score", "transform": mapper})
    bar = ColorBar(
        color_mapper=mapper,
        title="score",
        orientation="horizontal",
        height=12,
        padding=4,
        formatter=PrintfTickFormatter(format="%.3g"),
        title_text_font_style="normal",
        background_fill_color=None,
    )
    plot.add_layout(bar, "below")
    add_hover(plot, report, points)
    return plot, points, mapper


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
