"""Reader of CSV that keeps the line of each row.

Python's own reader of CSV is used, since a line with a value too few or too many has to be an
error: no value may move to another column.
"""

from __future__ import annotations

import codecs
import csv
import logging
import os
from collections import deque
from collections.abc import Iterator
from typing import IO, Any, NamedTuple

from ae_multi.data.cells import COMMA_NUMBER, POINT_NUMBER
from ae_multi.errors import InputError

_log = logging.getLogger("ae_multi")
_BLOCK = 1 << 16  # bytes that are read at once
# Separators that are recognized by the first line.
_SEPARATORS = (",", ";", "\t", "|")
# Texts that stand for a missing value, those of pandas.
MISSING = {
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
    "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_FALLBACK = "cp1252"


class CsvRows(NamedTuple):
    """Consecutive rows of CSV.

    Attributes:
        names: names of the columns.
        rows: texts of each row, None where they are missing.
        lines: number of the last line of each row in the file, from 1.
    """

    names: list[str]
    rows: list[list[str | None]]
    lines: list[int]


def read_csv(
    stream: Any,
    name: str,
    separator: str | None,
    encoding: str | None,
    most: int | None,
    waits: bool,
    decimal: str = ".",
) -> Iterator[CsvRows]:
    """Read rows of CSV, whose first line holds the names of the columns.

    Args:
        stream: binary file with the method ``read1``.
        name: name of the file for messages.
        separator: separator; None for the one of comma, semicolon, tab and | that occurs most in
            the first line.
        encoding: encoding; None for UTF-8, or UTF-16 with a byte order mark.
        most: maximum number of rows at once; None for any.
        waits: whether to collect ``most`` rows, instead of those that have arrived.
        decimal: decimal separator of numbers, "." or ",".

    Yields:
        `CsvRows`, each with at least one row.

    Raises:
        InputError: text in another encoding, repeated names, or a line of another number of values
            than the first one.
    """
    lines = _Lines(stream, name, encoding)
    first = next(lines, "")
    lines.waiting.appendleft(first)
    reader = csv.reader(lines, delimiter=_separator_of(first, separator), strict=True)
    try:
        names = _names(next(reader, []), name)
        rows: list[list[str | None]] = []
        places: list[int] = []
        has_warned = decimal != ","
        for row in reader:
            if row and len(row) != len(names):
                raise InputError(
                    f"Expected {len(names)} values in line {reader.line_num:,} of {name}, one for "
                    f"each column. Received: {len(row)}."
                )
            if row:
                texts = [each.strip() for each in row]
                if not has_warned:
                    has_warned = _warn_of_points(
                        texts, names, f"line {reader.line_num:,} of {name}"
                    )
                if decimal == ",":
                    texts = [_with_point(text) for text in texts]
                rows.append([None if text in MISSING else text for text in texts])
                places.append(reader.line_num)
            if rows and (len(rows) == most or (not waits and not lines.waiting)):
                yield CsvRows(names, rows, places)
                rows, places = [], []
        if rows:
            yield CsvRows(names, rows, places)
    except csv.Error as error:
        raise InputError(
            f"Expected CSV in {name}. Received: {error}, in line {reader.line_num:,}."
        ) from error


def _warn_of_points(texts: list[str], names: list[str], place: str) -> bool:
    """Log a warning if a text is a number with a decimal point; return whether one is."""
    for text, column in zip(texts, names, strict=True):
        if POINT_NUMBER.fullmatch(text) and not COMMA_NUMBER.fullmatch(text):
            _log.warning(
                "Received %s with a decimal point in the column %r, %s, in a table with the "
                "decimal separator ','. There 1.234 is read as 1234.",
                text,
                column,
                place,
            )
            return True
    return False


def _with_point(text: str) -> str:
    """Return a number such as 1.234,5 as 1234.5; other text unchanged."""
    if not COMMA_NUMBER.fullmatch(text):
        return text
    return text.replace(".", "").replace(",", ".")


def encoding_of(file: IO[bytes], path: os.PathLike[str]) -> str:
    """Return the encoding of a CSV file, whose bytes are all read."""
    block = file.read(_BLOCK)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if block.startswith(mark):
            return encoding
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block:
            decoder.decode(block)
            block = file.read(_BLOCK)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        _log.warning("Read %s as Windows-1252, since it is not UTF-8.", path)
        return _FALLBACK
    return "utf-8"


class _Lines:
    """Iterator over the lines of a binary stream, as soon as they have arrived.

    Attributes:
        waiting: lines that have arrived and not been returned.
    """

    def __init__(self, stream: Any, name: str, encoding: str | None) -> None:
        self._stream, self._name, self._encoding = stream, name, encoding
        self._decoder: Any = None
        self._rest, self._ended = "", False
        self.waiting: deque[str] = deque()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        while not self.waiting:
            if self._ended:
                raise StopIteration
            self._read()
        return self.waiting.popleft()

    def _read(self) -> None:
        # read1 returns what has arrived, without waiting for more.
        block = self._stream.read1(_BLOCK)
        if self._decoder is None:
            marks = (of for mark, of in _BYTE_ORDER_MARKS.items() if block.startswith(mark))
            encoding = self._encoding or next(marks, "utf-8")
            try:
                self._decoder = codecs.getincrementaldecoder(encoding)()
            except LookupError:
                raise InputError(
                    f"Expected the name of an encoding, such as utf-8 or cp1252. "
                    f"Received: {encoding!r}."
                ) from None
        try:
            text = self._rest + self._decoder.decode(block, final=not block)
        except UnicodeError as error:
            raise InputError(
                f"Expected text in {self._encoding or 'UTF-8'} in {self._name}. Received: other "
                f"bytes ({error}). Give its encoding by --encoding."
            ) from error
        lines = text.split("\n")
        self._rest = lines.pop()
        self.waiting.extend(f"{line}\n" for line in lines)
        if not block:
            self._ended = True
            if self._rest:
                self.waiting.append(self._rest)


def _names(row: list[str], where: str) -> list[str]:
    """Return the names of the columns; those without a name are named by their position."""
    names = [name.strip() or f"column {place}" for place, name in enumerate(row, start=1)]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated or not names:
        raise InputError(
            f"Expected {where} to begin with a line of different column names. "
            f"Received: {repeated[0]!r} twice." if repeated else
            f"Expected {where} to begin with a line of column names. Received: an empty file."
        )  # fmt: skip
    return names


def _separator_of(line: str, separator: str | None) -> str:
    if separator is None:
        return max(_SEPARATORS, key=lambda each: len(next(csv.reader([line], delimiter=each), [])))
    separator = {"\\t": "\t", "tab": "\t"}.get(separator, separator)
    if len(separator) != 1 or separator in '"\r\n':
        raise InputError(f"Expected a separator of one character. Received: {separator!r}.")
    return separator
