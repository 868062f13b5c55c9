"""Reader of tables in CSV, Parquet and .npy files as data frames of pandas.

CSV is read by Python's own reader, which keeps the line of each row: a line with a value too few or
too many is an error, and no value moves to another column.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import logging
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ae_multi.errors import InputError
from ae_multi.io import npy
from ae_multi.io.atomic import check_file, wrap_read_errors

if TYPE_CHECKING:
    import pandas

_log = logging.getLogger("ae_multi")
# Rows that are read at once from a file, and bytes from a stream.
ROWS_AT_ONCE = 10_000
_BLOCK = 1 << 16
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


class TablePart(NamedTuple):
    """Consecutive rows of a table.

    Attributes:
        frame: the rows; values of CSV are text, None where they are missing.
        first_row: index of the first row in the table, from 0.
        lines: line of each row in a CSV file, from 1, or None for other files.
    """

    frame: pandas.DataFrame
    first_row: int
    lines: list[int] | None

    def place(self, row: int) -> str:
        """Return the place of a row in its file, such as "line 12" or "row 11", from 1."""
        if self.lines is not None:
            return f"line {self.lines[row]:,}"
        return f"row {self.first_row + row + 1:,}"


def import_pandas() -> Any:
    """Return pandas.

    Raises:
        InputError: it is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise InputError(
            "Expected pandas, which holds tables. Received: it is not installed. "
            "Install it with: pip install pandas pyarrow."
        ) from None
    return pandas


def read_table(
    path: os.PathLike[str] | str | IO[bytes],
    separator: str | None = None,
    encoding: str | None = None,
) -> TablePart:
    """Read a whole table.

    Args:
        path: a .parquet or .npy file, a CSV file, gzipped if it ends in .gz, or an open binary
            stream of CSV.
        separator: separator of CSV; None for the one of comma, semicolon, tab and | that occurs
            most in the first line.
        encoding: encoding of CSV; None for UTF-8, UTF-16 with a byte order mark, or Windows-1252 if
            the file is neither.

    Raises:
        InputError: a file that cannot be read, a line of another number of values than the first
            one, repeated names, or no rows.
    """
    parts = list(read_parts(path, separator, encoding, most=None))
    if not parts or not len(parts[0].frame):
        raise InputError(f"Expected rows in {name_of(path)}. Received: none.")
    return parts[0]


def read_parts(
    path: os.PathLike[str] | str | IO[bytes],
    separator: str | None = None,
    encoding: str | None = None,
    most: int | None = ROWS_AT_ONCE,
) -> Iterator[TablePart]:
    """Read a table in parts of ``most`` rows; a stream in parts of the rows that have arrived.

    Args:
        path: as in `read_table`.
        separator: as in `read_table`.
        encoding: as in `read_table`; None is UTF-8 or UTF-16 for a stream.
        most: maximum number of rows of a part; None for one part.

    Yields:
        `TablePart`.
    """
    pandas = import_pandas()
    if not isinstance(path, str | os.PathLike):
        yield from _csv_parts(path, name_of(path), separator, encoding, most, waits=most is None)
        return
    path = Path(path)
    check_file(path, "a table in a .csv, .csv.gz, .parquet or .npy file")
    if path.suffix.lower() in (".parquet", ".npy"):
        whole = _read_parquet(pandas, path) if path.suffix.lower() != ".npy" else _read_npy(path)
        for first in range(0, len(whole), most or max(len(whole), 1)):
            yield TablePart(whole.iloc[first : first + most] if most else whole, first, None)
        return
    with wrap_read_errors(path, "table"):
        if encoding is None:
            with _opened(path) as file:
                encoding = _encoding_of(file, path)
        with _opened(path) as file:
            yield from _csv_parts(file, str(path), separator, encoding, most, waits=True)


def name_of(path: os.PathLike[str] | str | IO[bytes]) -> str:
    """Return the name of a file or stream for messages."""
    return str(path) if isinstance(path, str | os.PathLike) else "standard input"


def _read_parquet(pandas: Any, path: Path) -> Any:
    try:
        return pandas.read_parquet(path, engine="pyarrow")
    except ImportError:
        raise InputError(
            "Expected pyarrow, which reads Parquet. Received: it is not installed. "
            "Install it with: pip install pyarrow."
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"Expected a Parquet file. Received: {path} ({error}).") from error


def _read_npy(path: Path) -> Any:
    with wrap_read_errors(path, ".npy file"), open(path, "rb") as file:
        array = npy.read(file, path.stat().st_size, str(path), npy.NUMBERS + npy.TEXT)
    if array.ndim != 2:
        raise InputError(
            f"Expected an array of shape (rows, columns) in {path}. Received: shape {array.shape}."
        )
    return import_pandas().DataFrame(array, columns=[f"x{n}" for n in range(array.shape[1])])


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix.lower() == ".gz" else open(path, "rb")


def _encoding_of(file: IO[bytes], path: Path) -> str:
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


def _csv_parts(
    stream: Any,
    name: str,
    separator: str | None,
    encoding: str | None,
    most: int | None,
    waits: bool,
) -> Iterator[TablePart]:
    """Yield parts of ``most`` rows, or without ``waits`` of the rows that have arrived."""
    lines = _Lines(stream, name, encoding)
    first = next(lines, "")
    lines.waiting.appendleft(first)
    reader = csv.reader(lines, delimiter=_separator_of(first, separator), strict=True)
    try:
        names = _names(next(reader, []), name)
        rows: list[list[str | None]] = []
        places: list[int] = []
        count = 0
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                raise InputError(
                    f"Expected {len(names)} values in line {reader.line_num:,} of {name}, one for "
                    f"each column. Received: {len(row)}."
                )
            rows.append([None if (text := value.strip()) in MISSING else text for value in row])
            places.append(reader.line_num)
            if len(rows) == most or (not waits and not lines.waiting):
                yield _part(names, rows, count, places)
                count += len(rows)
                rows, places = [], []
        if rows:
            yield _part(names, rows, count, places)
    except csv.Error as error:
        raise InputError(
            f"Expected CSV in {name}. Received: {error}, in line {reader.line_num:,}."
        ) from error


def _part(names: list[str], rows: list, count: int, places: list[int]) -> TablePart:
    frame = import_pandas().DataFrame(rows, columns=names, dtype=object)
    return TablePart(frame, count, places)


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
