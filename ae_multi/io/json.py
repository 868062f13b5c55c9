"""JSON from outside: of limited size and depth, each key once, every number finite."""

import json
import math

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file

# Reading takes up to thirty times the text's size; descriptions of models have a thousandth.
MAX_BYTES = 1 << 24
# Keras goes down several calls for each level, and Python allows a thousand calls.
MAX_DEPTH = 100
_MAX_DIGITS = 40


def parse(content, what):
    """The plain values behind a JSON text.

    Args:
        content: the text, as UTF-8 bytes or str.
        what: what it is, for the message ("the manifest of one.ae").

    Raises:
        InputError: text that is no strict JSON (NaN and infinity are none), too long or nested
            too deeply, says a key twice, or holds numbers or text that nothing can represent.
    """
    if len(content) > MAX_BYTES:
        raise InputError(
            f"Expected {what} to be at most {MAX_BYTES:,} bytes of JSON. "
            f"Received: {len(content):,}."
        )
    try:
        text = content if isinstance(content, str) else bytes(content).decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_number,
        )
        _check(value)
    except RecursionError as error:
        raise _invalid(what, "values nested too deeply") from error
    except ValueError as error:  # also JSONDecodeError, UnicodeDecodeError, UnicodeEncodeError
        raise _invalid(what, error) from error
    return value


def read(path, what):
    """As `parse`, of the file ``path``, of which no more is read than `parse` takes.

    Raises:
        InputError: as there.
        OSError: a file that cannot be read.
    """
    check_file(path, what)
    with open(path, "rb") as file:
        return parse(file.read(MAX_BYTES + 1), f"{what} {path}")


def _invalid(what, reason):
    return InputError(f"Expected {what} to be JSON. Received: {reason}.")


def _object(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        seen = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {twice[:_MAX_DIGITS]!r} twice")
    return found


def _integer(text):
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text):,} digits")
    return int(text)


def _number(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:_MAX_DIGITS]}, which is no finite number")
    return value


def _check(value):
    """Raise `ValueError` for what is nested too deeply, and for halves of characters."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        inner = []
        for each in level:
            if isinstance(each, str):
                each.encode("utf-8")
            elif isinstance(each, dict):
                inner += each
                inner += each.values()
            elif isinstance(each, list):
                inner += each
        level = inner
    raise ValueError(f"more than {MAX_DEPTH} levels of nesting")
