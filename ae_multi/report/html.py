"""Self-contained HTML pages: elements with escaped text, tables, and the style of all pages.

A page loads no other resource. Its content security policy allows inline styles, images in data
URIs, and scripts by their hash, so a name in the data cannot run as code.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ae_multi.io.atomic import atomic_write
from ae_multi.report.html_style import PRINT_SCRIPT, STYLE
from ae_multi.terminal import visible

_VOID = ("meta", "br", "img", "input", "rect", "circle", "path", "line", "polyline")


class Html(str):
    """HTML source, which is not escaped. Any other string is text, which is escaped."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | float | bool | None) -> Html:
    """Return an element.

    Args:
        name: name of the element.
        *children: `Html`, or text to escape.
        **attributes: attributes. An underscore at the end of a name is removed, others become
            dashes. None and False omit an attribute; True writes its name without a value.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID and not children:
        return Html(f"<{name}{written}>" if name in ("meta", "br") else f"<{name}{written}/>")
    return Html(f"<{name}{written}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Html:
    """Concatenate parts; text is escaped."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def escape(text: str) -> Html:
    """Escape text for HTML; control characters become visible escape sequences."""
    return Html(html.escape(visible(str(text)), quote=True))


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Sequence[int] = (),
) -> Html:
    """Return a table, which scrolls horizontally if it is wider than the window.

    Args:
        caption: caption of the table, and name of its scrolling region.
        headers: headers of the columns.
        rows: cells of each row, `Html` or text; the first cell is the row's header. A cell that is
            an element "td" is not enclosed in another one.
        numbers: indices of the columns of numbers, which are aligned to the right.
    """

    def cell(column: int, content: str) -> Html:
        if isinstance(content, Html) and content.startswith("<td"):
            return content
        kind = "number" if column in numbers else None
        if column == 0:
            return element("th", content, scope="row", class_=kind)
        return element("td", content, class_=kind)

    head = (
        element("th", text, scope="col", class_="number" if column in numbers else None)
        for column, text in enumerate(headers)
    )
    body = (element("tr", *(cell(c, content) for c, content in enumerate(row))) for row in rows)
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", element("tr", *head)),
            element("tbody", *body),
        ),
        class_="scroll",
        tabindex="0",
        role="region",
        aria_label=caption,
    )


def number_cell(value: float, form: Callable[[float], str], **data: str | float) -> Html:
    """Return a cell with a number.

    Args:
        value: the number.
        form: function that formats it.
        **data: exact values, written as attributes "data-…".
    """
    exact = {
        f"data_{key}": repr(item) if isinstance(item, float) else item for key, item in data.items()
    }
    return element("td", form(value), class_="number", **exact)


def machine_line(machine: Mapping[str, Any] | None) -> Html:
    """Return a paragraph that describes the machine; empty for None."""
    if not machine:
        return Html("")
    return element("p", " · ".join(f"{k}: {v}" for k, v in machine.items()), class_="soft")


def definitions(pairs: Iterable[tuple[str, str]]) -> Html:
    """Return a description list of (label, text) pairs."""
    return element(
        "dl",
        *(
            element("div", element("dt", label), element("dd", text), class_="fact")
            for label, text in pairs
        ),
    )


def verdict(is_good: bool | None, text: str, level: str = "p") -> Html:
    """Return a sentence with a mark, ✓ or ✗, so that its meaning does not depend on colour.

    Args:
        is_good: whether the mark is ✓; None for no mark.
        text: the sentence.
        level: name of the element.
    """
    if is_good is None:
        return element(level, text, class_="verdict")
    mark = element("span", "✓" if is_good else "✗", class_="mark", aria_hidden="true")
    return element(level, mark, " ", text, class_="verdict " + ("good" if is_good else "bad"))


def data_block(identifier: str, value: Any) -> Html:
    """Return a value as JSON, in an element that scripts of the page read and that never runs.

    Args:
        identifier: identifier of the element.
        value: value that `json` can write. Its characters "<", ">" and "&", and those outside
            ASCII, are written as escape sequences.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Html(text), type="application/json", id=identifier)


def page(title: str, *body: str, scripts: Sequence[str] = (), style: str = "") -> Html:
    """Return a complete HTML document.

    Args:
        title: title of the page.
        *body: content of its main part.
        scripts: scripts that run at the end of the page, in this order.
        style: rules of CSS beside the style of all pages.
    """
    # In a script, "<\/" is the same as "</", and does not end the element.
    code = [re.sub(r"</(?=script)", r"<\\/", each, flags=re.I) for each in scripts]
    code.append(PRINT_SCRIPT)
    digests = (base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in code)
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {allowed}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Html(STYLE + style)),
    )
    main = element("main", *body)
    tags = (element("script", Html(each)) for each in code)
    return Html(
        "<!doctype html>\n" + element("html", head, element("body", main, *tags), lang="en") + "\n"
    )


def write_page(path: os.PathLike[str] | str, source: Html) -> None:
    """Write a page atomically, in UTF-8."""
    with atomic_write(path) as temporary:
        temporary.write_text(source, encoding="utf-8", errors="xmlcharrefreplace")


def _attribute(key: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
