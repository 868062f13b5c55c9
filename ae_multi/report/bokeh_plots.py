"""Interactive plots by Bokeh, as part of a page that loads nothing.

A page holds BokehJS, the plots as JSON, and a script of its own; the callbacks are in that script,
since those that Bokeh stores in a document need ``eval``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ae_multi.errors import InputError


def check_bokeh() -> None:
    """Check that Bokeh is installed. Call it before long work.

    Raises:
        InputError: it is not.
    """
    try:
        import bokeh.plotting  # noqa: F401
    except ImportError as error:
        raise InputError(
            "Expected the package bokeh, 3.4 or newer, which draws the plots of the report. "
            f"Received: {error}. Install it with: pip install 'bokeh>=3.4'"
        ) from error


def bokeh_script() -> str:
    """Return the source of BokehJS."""
    from bokeh.resources import Resources

    return "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)


def new_figure(label: str, height: int, **options: Any) -> Any:
    """Return an empty Bokeh figure as wide as the page, without colours of its own.

    Args:
        label: description of the figure for screen readers.
        height: height in pixels.
        **options: options of `bokeh.plotting.figure`.
    """
    from bokeh.plotting import figure

    plot = figure(
        height=height,
        sizing_mode="stretch_width",
        # Dragging and the wheel scroll the page until a tool is chosen.
        tools="pan,box_zoom,wheel_zoom,reset",
        active_drag=None,
        active_scroll=None,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        name=label,
        **options,
    )
    plot.toolbar.logo = None
    plot.toolbar_location = "above"
    plot.axis.axis_label_text_font_style = "normal"
    plot.axis.minor_tick_line_color = None
    plot.min_border_left = 10
    return plot


def embedded(plots: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures as values for JSON, for a page's script.

    Args:
        plots: dict of the identifier of an element of the page to its figure.

    Returns:
        Dict with "documents" and "items", the arguments of ``Bokeh.embed.embed_items``, and
        "colours": lists (identifier of a model, property, variable of the page's style), by which
        the script colours axes, grids and legends in light and dark.
    """
    from bokeh.document import Document
    from bokeh.models import Axis, Grid
    from bokeh.models.annotations import ColorBar, Legend, Span

    document = Document()
    for plot in plots.values():
        document.add_root(plot)
    painted: dict[Any, dict[str, str]] = {
        Axis: {
            "axis_label_text_color": "--soft",
            "major_label_text_color": "--text",
            "axis_line_color": "--soft",
            "major_tick_line_color": "--soft",
        },
        Grid: {"grid_line_color": "--line"},
        Legend: {
            "background_fill_color": "--page",
            "label_text_color": "--text",
            "border_line_color": "--line",
        },
        ColorBar: {
            "major_label_text_color": "--text",
            "major_tick_line_color": "--text",
            "title_text_color": "--soft",
        },
        Span: {"line_color": "--text"},
    }
    colours = [
        [model.id, name, variable]
        for kind, variables in painted.items()
        for model in document.select({"type": kind})
        for name, variable in variables.items()
    ]
    roots = {plot.id: identifier for identifier, plot in plots.items()}
    return {
        "documents": {"plots": document.to_json(deferred=False)},
        "items": [{"docid": "plots", "roots": roots, "root_ids": list(roots)}],
        "colours": colours,
    }
