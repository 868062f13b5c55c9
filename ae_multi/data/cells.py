"""Values of single cells of a table as text, and text as numbers, booleans and dates."""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

_TRUE, _FALSE = {"true", "1"}, {"false", "0"}
# A number with a decimal comma, and maybe a point at each thousand; 0.125 has a decimal point.
COMMA_NUMBER = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d*)?([eE][+-]?\d+)?")
# Another number with a point, which is a decimal point.
POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")
# A number with a comma at each thousand.
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")


def cell_text(value: Any) -> str | None:
    """Return the text of one object; None for missing values and empty text."""
    if isinstance(value, str):
        return value.strip() or None
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        return boolean_text(bool(value))
    if isinstance(value, numbers.Real | decimal.Decimal):
        return None if math.isnan(value) else number_text(float(value))
    if isinstance(value, datetime.datetime):
        return date_text(_in_utc(value))
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return number_text(value.total_seconds())
    raise ValueError


def number_text(value: float) -> str:
    """Return "3" for 3.0, and otherwise all digits."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def have_decimal_commas(texts: Iterable[str | None]) -> bool:
    """Return whether all texts are numbers, some of them with a decimal comma; None is missing."""
    has_comma = False
    for text in texts:
        if text is not None:
            if not COMMA_NUMBER.fullmatch(text):
                return False
            has_comma = has_comma or ("," in text and not _THOUSANDS.fullmatch(text))
    return has_comma


def boolean_text(value: bool) -> str:
    """Return "true" or "false"."""
    return "true" if value else "false"


def date_text(value: datetime.datetime) -> str:
    """Return a date in the form of ISO 8601."""
    return value.isoformat()


def _in_utc(value: datetime.datetime) -> datetime.datetime:
    if value.tzinfo is None:
        return value
    return value.astimezone(datetime.UTC).replace(tzinfo=None)


def _parse_number(text: str) -> float:
    value = float(text)
    if "_" in text or math.isinf(value):  # Python reads 1_000
        raise ValueError(text)
    return value


def _parse_boolean(text: str) -> float:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(text)
    return float(word in _TRUE)


def _parse_date(text: str) -> np.datetime64:
    return np.datetime64(_in_utc(datetime.datetime.fromisoformat(text)), "us")


# Functions that read text as a type, and raise ValueError or OverflowError for other text.
PARSERS: dict[str, Callable[[str], Any]] = {
    "number": _parse_number,
    "boolean": _parse_boolean,
    "date": _parse_date,
}
