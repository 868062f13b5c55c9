"""Reader of .csv files of numbers with a label column that marks the anomalous rows."""

import csv
import math
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from ae_multi.data.digest import sha256
from ae_multi.errors import InputError
from ae_multi.io.atomic import check_file

_TRUE, _FALSE = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no"}


@dataclass(frozen=True)
class LabelledTable:
    """Rows of numbers, with a label for each row.

    Attributes:
        x: float64 (rows, columns).
        anomalous: booleans (rows,), true for anomalies.
        columns: names of the columns of ``x``.
        source: name of the file.
    """

    x: np.ndarray
    anomalous: np.ndarray
    columns: tuple[str, ...]
    source: str

    @property
    def sha256(self) -> str:
        """Digest of both arrays."""
        return sha256((self.x, self.anomalous))


def load_table(path: PathLike[str] | str, label: str) -> LabelledTable:
    """Read a comma-separated .csv file with a line of column names and lines of numbers.

    Args:
        path: the file.
        label: name of the column that is 1 or true for anomalous rows and 0 or false for normal
            rows.

    Returns:
        A `LabelledTable` of all other columns.

    Raises:
        InputError: a file that cannot be read, a missing column, text, NaN, or lines of different
            lengths; the message names the line and the column.
    """
    check_file(path, "a .csv file")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            names, *lines = [*csv.reader(file)] or [[]]
    except OSError as error:
        raise InputError(
            f"Expected to be able to read {path}. Received: {error.strerror}."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"Expected a .csv file of text. Received: {path} ({error}).") from error
    names = [name.strip() for name in names]
    if names.count(label) != 1 or len(names) < 2:
        raise InputError(
            f"Expected {path} to have one column {label!r} and at least one other. "
            f"Received: {', '.join(names) or 'an empty file'}."
        )
    label_index = names.index(label)
    rows, anomalous = [], []
    for number, line in enumerate(lines, start=2):
        if not line:
            continue
        if len(line) != len(names):
            raise InputError(
                f"Expected {len(names)} values in line {number} of {path}, one per column name. "
                f"Received: {len(line)}."
            )
        anomalous.append(_truth(line[label_index], path, number, label))
        rows.append(
            [
                _number(text, path, number, name)
                for column, (text, name) in enumerate(zip(line, names, strict=True))
                if column != label_index
            ]
        )
    if not rows:
        raise InputError(f"Expected rows of numbers in {path}. Received: only column names.")
    columns = tuple(name for column, name in enumerate(names) if column != label_index)
    return LabelledTable(np.array(rows), np.array(anomalous), columns, Path(path).name)


def _number(text: str, path: PathLike[str] | str, number: int, name: str) -> float:
    """Parse a finite number of line ``number``, column ``name``."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"Expected a finite number in line {number}, column {name!r} of {path}. "
            f"Received: {text!r}."
        )
    return value


def _truth(text: str, path: PathLike[str] | str, number: int, name: str) -> bool:
    """Parse a label of line ``number``, column ``name``."""
    word = text.strip().lower()
    if word not in _TRUE | _FALSE:
        raise InputError(
            f"Expected 1 or true for anomalous rows and 0 or false for normal rows in line "
            f"{number}, column {name!r} of {path}. Received: {text!r}."
        )
    return word in _TRUE
