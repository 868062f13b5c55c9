"""Console and style of the tables on the terminal."""

from __future__ import annotations

import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ae_multi.terminal import discard, visible, write_any_text

# Width of the console in a pipe or a file, in characters: wide enough for every table.
_LOG_WIDTH = 132


class PlainConsole(Console):
    """A rich console without markup and emoji: "[bold]" and ":smile:" are printed literally.

    File names, layer names and error messages may contain any character. Styles are therefore
    passed as arguments or as `rich.text.Text`, never as markup.

    Args:
        **options: keywords of `rich.console.Console`.
    """

    def __init__(self, **options: Any):
        defaults: dict[str, Any] = {"markup": False, "emoji": False, "highlight": False}
        super().__init__(**{**defaults, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Convert a string to `Text`, with control characters escaped."""
        return super().render_str(visible(text), **options)

    def on_broken_pipe(self) -> None:
        """Print nothing more after the reader of a pipe has closed it; files are still written."""
        self.quiet = True
        discard(self.file)  # type: ignore[arg-type]


def console(stderr: bool = False) -> PlainConsole:
    """Return a console on stdout or stderr; in a pipe or a file, with `_LOG_WIDTH` columns."""
    write_any_text(sys.stderr if stderr else sys.stdout)
    result = PlainConsole(stderr=stderr)
    return result if result.is_terminal else PlainConsole(stderr=stderr, width=_LOG_WIDTH)


def plain_table(title: str | None) -> Table:
    """Return an empty table in the style of all tables, with a title above it or None."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
