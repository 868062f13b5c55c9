"""Scores of the rows of a table, with the columns that contribute most."""

from __future__ import annotations

import csv
from typing import IO, NamedTuple

import numpy as np

from ae_multi.data.columns import CellError
from ae_multi.data.table_file import TablePart
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, load_estimator

# Number of columns that are written for each row.
TOP = 3


class RowScores(NamedTuple):
    """Scores of n rows.

    Attributes:
        ids: identifier of each row.
        scores: anomaly scores, float64 (n,).
        probabilities: of `AnomalyDetector.predict_proba`, float64 (n,).
        is_anomaly: whether the score is above the threshold, booleans (n,).
        top: names of the columns that contribute most, for each row.
        shares: their shares of the score, float64 (n, columns in ``top``).
    """

    ids: list
    scores: np.ndarray
    probabilities: np.ndarray
    is_anomaly: np.ndarray
    top: list[list[str]]
    shares: np.ndarray


def load_table_detector(path: object) -> AnomalyDetector:
    """Return the detector of a file that ``ae-multi detect fit`` has written.

    Raises:
        InputError: another file.
    """
    detector = load_estimator(path)  # type: ignore[arg-type]
    if getattr(detector, "preprocessor_", None) is None:
        raise InputError(
            f"Expected a detector of tables, as from `ae-multi detect fit`. Received: {path}, "
            f"which holds {type(detector).__name__} without a preprocessor."
        )
    return detector


def id_column_of(detector: AnomalyDetector) -> str | None:
    """Return the column that identifies rows, as set in ``detect fit``, or None."""
    kinds = detector.preprocessor_.kinds or {}
    return next((name for name, kind in kinds.items() if kind == "identifier"), None)


def score_part(
    detector: AnomalyDetector, part: TablePart, name: str, id_column: str | None
) -> RowScores:
    """Score the rows of a part of a table.

    Args:
        detector: from `load_table_detector`.
        part: the rows.
        name: name of the table for messages.
        id_column: column whose values identify the rows; None for the number of the row, from 1.

    Raises:
        InputError: missing columns, or a value that its column cannot hold; the message names line
            or row, and column.
    """
    frame = part.frame
    try:
        scores, errors = detector.anomaly_score(frame), detector.column_errors(frame)
    except CellError as error:
        raise at_place(error, part, name) from None
    names = detector.column_names_
    order = np.argsort(-errors, axis=1, kind="stable")[:, :TOP]
    total = np.maximum(errors.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    ids: list = []
    if id_column is None:
        ids = [part.first_row + row + 1 for row in range(len(frame))]
    else:
        ids = ["" if value is None else value for value in frame[id_column].tolist()]
    return RowScores(
        ids=ids,
        scores=scores,
        probabilities=detector.probabilities_of(scores)[:, 1],
        is_anomaly=scores > -detector.offset_,
        top=[[str(names[place]) for place in row] for row in order],
        shares=np.take_along_axis(errors, order, axis=1) / total,
    )


def at_place(error: CellError, part: TablePart, name: str) -> CellError:
    """Return the error with the place of the row in the file instead of its index."""
    return error.moved(error.row, f"{part.place(error.row)} of {name}")


class ScoreWriter:
    """Writer of scores as CSV.

    Args:
        file: text file.
        id_name: heading of the first column.
    """

    def __init__(self, file: IO[str], id_name: str) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._file = file
        columns = [f"{head}_{place}" for place in range(1, TOP + 1) for head in ("column", "share")]
        self._count = TOP
        self._writer.writerow([id_name, "score", "probability", "label", *columns])
        file.flush()

    def write(self, rows: RowScores) -> None:
        """Write one line for each row, and flush the file."""
        for place, identifier in enumerate(rows.ids):
            top: list[str] = []
            for column, share in zip(rows.top[place], rows.shares[place], strict=True):
                top += [column, f"{share:.4f}"]
            self._writer.writerow(
                [
                    identifier,
                    f"{rows.scores[place]:.9g}",
                    f"{rows.probabilities[place]:.6f}",
                    "anomalous" if rows.is_anomaly[place] else "normal",
                    *top,
                    *[""] * (2 * self._count - len(top)),
                ]
            )
        self._file.flush()
