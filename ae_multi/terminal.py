"""Text for terminals and logs that cannot encode every character."""

import codecs
import contextlib
import os
import sys
import unicodedata

# The name under which `encode_with_ascii` is registered as an error handler of codecs.
ERRORS = "ae_multi.ascii"

_REPLACEMENTS = {
    "×": "x", "÷": "/", "·": "*", "±": "+/-", "−": "-", "–": "-", "—": "-", "‑": "-",
    "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "→": "->", "←": "<-", "…": "...", "•": "*",
    "‘": "'", "’": "'", "“": '"', "”": '"', "σ": "sigma", "μ": "mu", "µ": "u", "β": "beta",
    "ε": "epsilon", "²": "^2", "³": "^3", "½": "1/2", "√": "sqrt", "∞": "inf", "°": " deg",
}  # fmt: skip


def encode_with_ascii(error):
    """Replace what an encoding lacks by ASCII that means the same; an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    return "".join(map(_as_ascii, characters)), error.end


codecs.register_error(ERRORS, encode_with_ascii)


def write_any_text(stream):
    """Let ``stream`` write ASCII for characters that its encoding lacks, rather than fail."""
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors=ERRORS)


def encodable(text, stream=None):
    """Return ``text`` with ASCII for the characters that ``stream``, by default stdout, lacks."""
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    return text.encode(encoding, ERRORS).decode(encoding)


def visible(text):
    r"""Return ``text`` with control characters other than line ends as escapes such as ``\x1b``."""
    return "".join(
        repr(character)[1:-1]
        if unicodedata.category(character) == "Cc" and character != "\n"
        else character
        for character in text
    )


def discard(stream):
    """Let a stream that cannot be written any more lead nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _as_ascii(character):
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
