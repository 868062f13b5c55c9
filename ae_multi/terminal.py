"""Output of text to terminals and logs whose encoding lacks some characters."""

import codecs
import contextlib
import os
import sys
import unicodedata
from typing import Any, TextIO

# Name of the codecs error handler `encode_with_ascii`.
ERRORS = "ae_multi.ascii"

_REPLACEMENTS = {
    "×": "x", "÷": "/", "·": "*", "±": "+/-", "−": "-", "–": "-", "—": "-", "‑": "-",
    "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "→": "->", "←": "<-", "…": "...", "•": "*",
    "‘": "'", "’": "'", "“": '"', "”": '"', "σ": "sigma", "μ": "mu", "µ": "u", "β": "beta",
    "ε": "epsilon", "²": "^2", "³": "^3", "½": "1/2", "√": "sqrt", "∞": "inf", "°": " deg",
}  # fmt: skip


def encode_with_ascii(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks by equivalent ASCII; a codecs error handler."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_as_ascii, characters)), error.end


codecs.register_error(ERRORS, encode_with_ascii)


def write_any_text(stream: Any) -> None:
    """Configure a text stream to write ASCII for characters that its encoding lacks."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=ERRORS)


def encodable(text: str, stream: TextIO | None = None) -> str:
    """Return ``text`` with ASCII for characters that the encoding of a stream lacks.

    Args:
        text: any text.
        stream: text stream; None for stdout.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def visible(text: str) -> str:
    r"""Return ``text`` with control characters other than line ends as escapes such as ``\x1b``."""
    return "".join(
        repr(character)[1:-1]
        if unicodedata.category(character) == "Cc" and character != "\n"
        else character
        for character in text
    )


def discard(stream: TextIO) -> None:
    """Redirect a stream that cannot be written any more to the null device."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _as_ascii(character: str) -> str:
    if character in _REPLACEMENTS:
        return _REPLACEMENTS[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        if name.endswith("HORIZONTAL"):
            return "-"
        return "|" if name.endswith("VERTICAL") else "+"
    if "▀" <= character <= "▟" or name.startswith("BRAILLE"):
        return "#"
    return character.encode("ascii", "backslashreplace").decode()
