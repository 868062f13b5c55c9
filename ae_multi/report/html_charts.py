"""Charts as inline SVG, with logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import cycle

from ae_multi.parity.curves import FAULT, ULP_PERTURBED
from ae_multi.report.html import Html, element, join

_WIDTH, _LEFT, _RIGHT = 760, 150, 20
# Marker of each backend: a path around (0, 0), distinct without colour.
_MARKERS = {
    "torch": "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    "tensorflow": "M-4.5 -4.5h9v9h-9z",
    "jax": "M0 -5.5L5.5 4.5H-5.5z",
    "numpy": "M0 -6L5 0L0 6L-5 0z",
    "openvino": "M-5 -2h3v-3h4v3h3v4h-3v3h-4v-3h-3z",
}
_DASHES = {"torch": None, "tensorflow": "9 4", "jax": "2 4", "numpy": "9 3 2 3", "fault": "14 4"}
_NO_MARKER = "M-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0z"


def share_chart(title: str, rows: Mapping[str, Mapping[str, float]]) -> Html:
    """Return a chart of errors divided by their bounds, with a row for each stage.

    Args:
        title: title of the chart.
        rows: dict of stage to a dict of backend to its largest error over its bound. Values of 0
            are drawn at the left edge, infinite ones at the right edge.
    """
    height, top = 40, 46
    shares = [share for row in rows.values() for share in row.values()]
    low, high = _decades([*shares, 1.0], least=-4)
    bottom = top + height * len(rows)

    def x(share: float) -> float:
        return _scaled(share, low, high, _LEFT, _WIDTH - _RIGHT)

    kinds = _kinds(name for row in rows.values() for name in row)
    parts = [_legend(kinds)]
    for power in _ticks(low, high):
        at = x(10.0**power)
        parts.append(element("line", x1=at, x2=at, y1=top, y2=bottom, class_="grid"))
        label = _power(power) if power != low else f"≤ {_power(power)}"
        parts.append(_text(at, bottom + 18, label, "middle", "soft"))
    parts.append(element("line", x1=x(1), x2=x(1), y1=top - 6, y2=bottom, class_="bound"))
    parts.append(_text(x(1), top - 10, "bound", "middle"))
    parts.append(
        _text((_LEFT + _WIDTH) / 2, bottom + 38, "largest error / bound", "middle", "soft")
    )
    for number, (stage, row) in enumerate(rows.items()):
        y = top + height * (number + 0.5)
        summary = ", ".join(f"{name} {format_share(share)}" for name, share in row.items())
        points = (
            _marker(kinds[name], x(share), y + 8 * (place - (len(row) - 1) / 2))
            for place, (name, share) in enumerate(row.items())
        )
        parts.append(
            element(
                "g",
                element("title", f"{stage}: {summary}"),
                element("rect", x=0, y=y - height / 2, width=_WIDTH, height=height, class_="band"),
                _text(_LEFT - 12, y + 4, stage, "end"),
                *points,
                class_="row",
                tabindex="0",
                role="img",
                aria_label=f"{stage}, largest error over its bound: {summary}",
            )
        )
    return _svg(title, bottom + 48, parts)


def line_chart(
    title: str,
    curves: Mapping[str, Sequence[float]],
    x_label: str,
    y_label: str,
    bound: Sequence[float] = (),
) -> Html:
    """Return a chart of values by step on a logarithmic axis.

    Args:
        title: title of the chart.
        curves: dict of name to a value for each step, from 1. Zeros are drawn at the lower edge,
            values that are not finite at the upper one.
        x_label: label of the steps.
        y_label: label of the values.
        bound: the bound at each step, drawn as a dashed line; or empty.
    """
    top, bottom = 46, 290
    values = [value for curve in curves.values() for value in curve]
    low, high = _decades([*values, *bound], least=-12)
    count = max((len(curve) for curve in curves.values()), default=1)

    def point(step: int, value: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _RIGHT - _LEFT) * ((step - 1) / (count - 1) if count > 1 else 0.5)
        return x, _scaled(value, low, high, bottom, top)

    # Repetitions that are perturbed by rounding share one entry of the legend.
    kinds = _kinds(curves)
    named = {"rounding" if kind == "noise" else name: kind for name, kind in kinds.items()}
    parts = [_legend(named, "bound" if bound else None)]
    for power in _ticks(low, high):
        y = point(1, 10.0**power)[1]
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        parts.append(_text(_LEFT - 8, y + 4, _power(power), "end", "soft"))
    for step in sorted({1, count, *range(0, count + 1, max(1, count // 5))} - {0}):
        if step == count or count - step > count // 10:
            parts.append(_text(point(step, 1)[0], bottom + 18, str(step), "middle", "soft"))
    parts.append(_text((_LEFT + _WIDTH) / 2, bottom + 38, x_label, "middle", "soft"))
    parts.append(
        element(
            "g",
            _text(0, 0, y_label, "middle", "soft"),
            transform=f"translate(92 {(top + bottom) / 2}) rotate(-90)",
        )
    )
    if bound:
        parts.append(
            element("polyline", points=_points(map(point, *_steps(bound))), class_="bound")
        )
    for name, curve in curves.items():
        at = list(map(point, *_steps(curve)))
        kind = kinds[name]
        shapes = [
            element(
                "polyline",
                points=_points(at),
                class_="curve",
                stroke_dasharray=_DASHES.get(kind),
            )
        ]
        if len(curve) <= 40 and kind in _MARKERS:
            shapes += [_marker(kind, *place) for place in at]
        label = f"{name}: {curve[0]:.1e} first, {curve[-1]:.1e} last" if curve else name
        parts.append(
            element(
                "g",
                element("title", label),
                *shapes,
                class_=f"row {kind}",
                tabindex="0",
                role="img",
                aria_label=label,
            )
        )
    return _svg(title, bottom + 48, parts)


def format_share(share: float) -> str:
    """Format an error over its bound; "differs" if it is not finite."""
    if not math.isfinite(share):
        return "differs"
    if share == 0:
        return "0"
    if share < 0.01:
        return "<0.01"
    if share < 1000:
        return f"{share:.2f}" if share < 10 else f"{share:.0f}"
    mantissa, exponent = f"{share:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def _svg(title: str, height: float, parts: Sequence[str]) -> Html:
    picture = element(
        "svg",
        element("title", title),
        *parts,
        viewBox=f"0 0 {_WIDTH} {height:g}",
        role="group",
        aria_label=title,
    )
    return element("div", picture, class_="scroll", tabindex="0", role="region", aria_label=title)


def _legend(kinds: Mapping[str, str], dashed: str | None = None) -> Html:
    """Return the names of the series with their markers, in one line at the top."""
    parts: list[str] = []
    x = float(_LEFT)
    for name, kind in kinds.items():
        parts.append(
            element(
                "g",
                element(
                    "line",
                    x1=x - 4,
                    x2=x + 22,
                    y1=12,
                    y2=12,
                    class_="curve",
                    stroke_dasharray=_DASHES.get(kind),
                ),
                _marker(kind, x + 9, 12) if kind in _MARKERS else "",
                class_=kind,
            )
        )
        parts.append(_text(x + 28, 16, name))
        x += 46 + 6.6 * len(name)
    if dashed:
        parts.append(element("line", x1=x - 4, x2=x + 22, y1=12, y2=12, class_="bound"))
        parts.append(_text(x + 28, 16, dashed))
    return join(parts)


def _kinds(names: Iterable[str]) -> dict[str, str]:
    """Return a dict of each series to its class, which determines colour, marker and dashes.

    The class is the backend, "fault" or "noise". Other names, such as those of environments, get
    the classes of backends that are not among the names, in turn.
    """
    kinds = {}
    for name in names:
        word = name.partition(" ")[0]
        if word in _MARKERS:
            kinds[name] = word
        else:
            is_noise = name.startswith(ULP_PERTURBED)
            kinds[name] = "fault" if name == FAULT else "noise" if is_noise else ""
    unused = [kind for kind in _MARKERS if kind not in kinds.values()] or list(_MARKERS)
    others = [name for name, kind in kinds.items() if not kind]
    return kinds | dict(zip(others, cycle(unused), strict=False))


def _marker(kind: str, x: float, y: float) -> Html:
    return element(
        "path",
        d=_MARKERS.get(kind, _NO_MARKER),
        transform=f"translate({x:.1f} {y:.1f})",
        class_=f"point {kind}",
    )


def _text(x: float, y: float, text: str, anchor: str = "start", class_: str | None = None) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, class_=class_)


def _decades(values: Sequence[float], least: int) -> tuple[int, int]:
    """Return the exponents of the powers of ten around the positive finite values.

    The lower one is at least ``least``.
    """
    logs = [math.log10(value) for value in values if 0 < value < math.inf] or [0.0]
    low = max(math.floor(min(logs)), least)
    return low, max(math.ceil(max(logs)), low + 1)


def _ticks(low: int, high: int) -> range:
    return range(low, high + 1, max(1, (high - low) // 8))


def _scaled(value: float, low: int, high: int, start: float, stop: float) -> float:
    """Return the position of a value on a logarithmic axis between two edges.

    0 is at the edge ``start``, infinity at the edge ``stop``.
    """
    log = low if value <= 0 else math.log10(value) if math.isfinite(value) else high
    share = (min(max(log, low), high) - low) / (high - low)
    return round(start + (stop - start) * share, 1)


def _power(power: int) -> str:
    return f"1e{power}" if power else "1"


def _steps(curve: Sequence[float]) -> tuple[range, Sequence[float]]:
    return range(1, len(curve) + 1), curve


def _points(places) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
