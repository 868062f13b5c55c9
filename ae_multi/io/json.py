"""Reader of untrusted JSON: limited size and depth, unique keys, finite numbers."""

import json
import math
import os
from typing import Any

from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file

# Parsing needs up to thirty times the size of the text in memory. Configurations of models are a
# thousand times smaller than this limit.
MAX_BYTES = 1 << 24
# Keras makes several nested calls for each level, and Python allows 1,000 in all.
MAX_DEPTH = 100
_MAX_DIGITS = 40


def parse(content: bytes | bytearray | memoryview | str, what: str) -> Any:
    """Parse a JSON text.

    Args:
        content: the text, as UTF-8 bytes or str.
        what: content of the text, for error messages ("the manifest of one.ae").

    Returns:
        Nested dicts and lists of None, booleans, numbers and strings.

    Raises:
        InputError: the text is not strict JSON (which excludes NaN and infinity), is too long or
            nested too deeply, repeats a key, or holds numbers or text that cannot be represented.
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


def read(path: os.PathLike[str] | str, what: str) -> Any:
    """Parse the JSON file ``path`` as `parse` does, reading at most ``MAX_BYTES`` + 1 bytes.

    Returns:
        As `parse`.

    Raises:
        InputError: there is no such file, or as `parse`.
        OSError: the file cannot be read.
    """
    check_file(path, what)
    with open(path, "rb") as file:
        return parse(file.read(MAX_BYTES + 1), f"{what} {path}")


def _invalid(what, reason):
    return InputError(f"Expected {what} to be JSON. Received: {reason}.")


def _object(pairs):
    result = dict(pairs)
    if len(result) < len(pairs):
        seen = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {twice[:_MAX_DIGITS]!r} twice")
    return result


def _integer(text):
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"an integer of {len(text):,} digits")
    return int(text)


def _number(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:_MAX_DIGITS]}, which is not a finite number")
    return value


def _check(value):
    """Raise `ValueError` for values that are nested too deeply, and for lone surrogates."""
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
