"""Reader of tables in CSV, Parquet and .npy files as data frames of pandas."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from ae_multi.data.csv_rows import CsvRows, encoding_of, read_csv
from ae_multi.errors import InputError
from ae_multi.io import npy
from ae_multi.io.atomic import check_file, wrap_read_errors

if TYPE_CHECKING:
    import pandas

# Rows that are read at once from a file.
ROWS_AT_ONCE = 10_000


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
    decimal: str = ".",
) -> TablePart:
    """Read a whole table.

    Args:
        path: a .parquet or .npy file, a CSV file, gzipped if it ends in .gz, or an open binary
            stream of CSV.
        separator: separator of CSV; None for the one of comma, semicolon, tab and | that occurs
            most in the first line.
        encoding: encoding of CSV; None for UTF-8, UTF-16 with a byte order mark, or Windows-1252 if
            the file is neither.
        decimal: decimal separator of numbers in CSV, "." or ",".

    Raises:
        InputError: a file that cannot be read, a line of another number of values than the first
            one, repeated names, or no rows.
    """
    parts = list(read_parts(path, separator, encoding, decimal, most=None))
    if not parts or not len(parts[0].frame):
        raise InputError(f"Expected rows in {name_of(path)}. Received: none.")
    return parts[0]


def read_parts(
    path: os.PathLike[str] | str | IO[bytes],
    separator: str | None = None,
    encoding: str | None = None,
    decimal: str = ".",
    most: int | None = ROWS_AT_ONCE,
) -> Iterator[TablePart]:
    """Read a table in parts of ``most`` rows; a stream in parts of the rows that have arrived.

    Args:
        path: as in `read_table`.
        separator: as in `read_table`.
        encoding: as in `read_table`; None is UTF-8 or UTF-16 for a stream.
        decimal: as in `read_table`.
        most: maximum number of rows of a part; None for one part.

    Yields:
        `TablePart`.
    """
    pandas = import_pandas()
    if not isinstance(path, str | os.PathLike):
        rows = read_csv(path, name_of(path), separator, encoding, most, most is None, decimal)
        yield from _parts_of_csv(rows)
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
                encoding = encoding_of(file, path)
        with _opened(path) as file:
            rows = read_csv(file, str(path), separator, encoding, most, True, decimal)
            yield from _parts_of_csv(rows)


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


def _parts_of_csv(rows: Iterator[CsvRows]) -> Iterator[TablePart]:
    count = 0
    for names, values, lines in rows:
        frame = import_pandas().DataFrame(values, columns=names, dtype=object)
        yield TablePart(frame, count, lines)
        count += len(values)
