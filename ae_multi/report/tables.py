"""Console and style of the tables on the terminal."""

from __future__ import annotations

import sys
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ae_multi.terminal import discard, visible, write_any_text

# Characters in a line of a log, which has no window: wide enough for every table.
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
        """Print nothing more after the reader has ended; results are still written to files."""
        self.quiet = True
        discard(self.file)  # type: ignore[arg-type]


def console(stderr: bool = False) -> PlainConsole:
    """Return a console on stdout or stderr. In a log it is wide enough for every table."""
    write_any_text(sys.stderr if stderr else sys.stdout)
    result = PlainConsole(stderr=stderr)
    return result if result.is_terminal else PlainConsole(stderr=stderr, width=_LOG_WIDTH)


def plain_table(title: str | None) -> Table:
    """Return an empty table in the common style."""
    return Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
