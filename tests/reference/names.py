"""Names of files that a terminal or rich could misread."""

# Names that rich interprets as markup, emoji or a link.
NAMES = (
    "p[bar].csv",
    "[bold]x[/bold].csv",
    "[/nope].csv",
    ":smile:.csv",
    "[link=a].csv",
    r"\[b].csv",
)
