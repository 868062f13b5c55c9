"""Scores of the rows of a table or series, with the columns that contribute most."""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from ae_multi.data.columns import CellError, as_text, columns_of, convert
from ae_multi.data.table_file import TablePart
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, TimeSeriesDetector, load_estimator
from ae_multi.estimators.intervals import AnomalyInterval

_log = logging.getLogger("ae_multi")
# Number of columns that are written for each row.
TOP = 3


class RowScores(NamedTuple):
    """Scores of n rows or images.

    Attributes:
        id_name: name of the identifiers.
        ids: identifier of each row.
        scores: anomaly scores, float64 (n,).
        is_anomaly: whether the score is above the threshold, booleans (n,).
        probabilities: of `AnomalyDetector.predict_proba`, float64 (n,); None for time series.
        top: names of the columns that contribute most, for each row; None for images.
        shares: their shares of the score, float64 (n, columns in ``top``).
    """

    id_name: str
    ids: list
    scores: np.ndarray
    is_anomaly: np.ndarray
    probabilities: np.ndarray | None = None
    top: list[list[str]] | None = None
    shares: np.ndarray | None = None


def load_table_detector(path: object) -> AnomalyDetector | TimeSeriesDetector:
    """Return the detector of a file that ``ae-multi detect fit`` has written for a table.

    Raises:
        InputError: another file.
    """
    detector = load_estimator(path)  # type: ignore[arg-type]
    if getattr(detector, "preprocessor_", None) is None:
        has_images = len(detector.sample_shape_) > 1
        raise InputError(
            f"Expected a detector of tables, as from `ae-multi detect fit`. Received: {path}, "
            f"which holds {type(detector).__name__} "
            + ("of images; pass it a folder." if has_images else "without a preprocessor.")
        )
    return detector


def id_column_of(detector: AnomalyDetector | TimeSeriesDetector) -> str | None:
    """Return the column that identifies rows, as set in ``detect fit``, or None."""
    kinds = detector.preprocessor_.kinds or {}
    return next((name for name, kind in kinds.items() if kind == "identifier"), None)


def scored_rows(
    detector: AnomalyDetector, parts: Iterable[TablePart], name: str, id_column: str | None = None
) -> Iterator[RowScores]:
    """Yield the scores of each part of a table.

    Args:
        detector: from `load_table_detector`.
        parts: parts of the table.
        name: name of the table for messages.
        id_column: column whose values identify the rows; None for that of ``detect fit`` if the
            table has it, or the number of the row, from 1.

    Raises:
        InputError: missing columns, or a value that its column cannot hold; the message names line
            or row, and column.
    """
    for part in parts:
        id_column = _id_column(detector, part, name, id_column)
        try:
            scores, errors = detector.anomaly_score(part.frame), detector.column_errors(part.frame)
        except CellError as error:
            raise at_place(error, part, name) from None
        probabilities = detector.probabilities_of(scores)[:, 1]
        yield _with_columns(detector, part, id_column, scores, errors, probabilities)


def scored_series(
    detector: TimeSeriesDetector, table: TablePart, name: str, id_column: str | None = None
) -> tuple[RowScores, list[AnomalyInterval]]:
    """Return the scores of a series, and its anomalous intervals.

    Args:
        detector: from `load_table_detector`.
        table: the whole series, since the score of a row depends on its neighbors.
        name: as in `scored_rows`.
        id_column: as in `scored_rows`.

    Raises:
        InputError: as `scored_rows`, or fewer rows than a window.
    """
    id_column = _id_column(detector, table, name, id_column)
    check_order(table, name, id_column)
    try:
        errors = detector.feature_errors(table.frame)
    except CellError as error:
        raise at_place(error, table, name) from None
    sums = detector.sum_columns(errors)
    rows = _with_columns(detector, table, id_column, errors.mean(axis=1), sums, None)
    return rows, detector.intervals_of(errors)


def check_order(table: TablePart, name: str, id_column: str | None) -> None:
    """Log a warning if dates that identify the rows of a series are in no order.

    Args:
        table: the rows.
        name: name of the table for the message.
        id_column: column that identifies a row, or None.
    """
    if id_column is None:
        return
    column = columns_of(table.frame[[id_column]])[id_column]
    try:
        times = convert(column, "date", id_column)
    except CellError:
        return  # other identifiers have no order
    rows = np.flatnonzero(~np.isnat(times))
    steps = np.diff(times[rows]).astype(np.int64)
    if (steps >= 0).all() or (steps <= 0).all():
        return
    place = int(np.argmax(steps < 0))
    before, after = as_text(column)[rows[place : place + 2]]
    _log.warning(
        "The column %r is not in order: %s of %s has %s after %s. The rows of a series are taken "
        "in the order of the file; sort them by time.",
        id_column,
        table.place(int(rows[place + 1])),
        name,
        after,
        before,
    )


def _id_column(detector: Any, part: TablePart, name: str, given: str | None) -> str | None:
    """Return the column that identifies the rows of a part, or None for their numbers."""
    if given is None:
        of_fit = id_column_of(detector)
        return of_fit if of_fit in part.frame.columns else None
    if given not in part.frame.columns:
        raise InputError(
            f"Expected a column of {name}: {', '.join(map(str, part.frame.columns))}. "
            f"Received: --id {given}."
        )
    return given


def _with_columns(
    detector: Any,
    part: TablePart,
    id_column: str | None,
    scores: np.ndarray,
    errors: np.ndarray,
    probabilities: np.ndarray | None,
) -> RowScores:
    """Return the scores of rows with the columns of the largest errors, (rows, columns)."""
    names = detector.column_names_
    order = np.argsort(-errors, axis=1, kind="stable")[:, :TOP]
    total = np.maximum(errors.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    ids: list = []
    if id_column is None:
        ids = [part.first_row + row + 1 for row in range(len(part.frame))]
    else:
        ids = ["" if value is None else value for value in part.frame[id_column].tolist()]
    return RowScores(
        id_name=id_column or "row",
        ids=ids,
        scores=scores,
        is_anomaly=scores > -detector.offset_,
        probabilities=probabilities,
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
    """

    def __init__(self, file: IO[str]) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._file = file
        self._has_heading = False

    def write(self, rows: RowScores) -> None:
        """Write one line for each row, after a heading before the first one; flush the file."""
        if not self._has_heading:
            self._writer.writerow([rows.id_name, "score", "probability", "label", *_heads(rows)])
            self._has_heading = True
        for place, identifier in enumerate(rows.ids):
            probability = "" if rows.probabilities is None else f"{rows.probabilities[place]:.6f}"
            self._writer.writerow(
                [
                    identifier,
                    f"{rows.scores[place]:.9g}",
                    probability,
                    "anomalous" if rows.is_anomaly[place] else "normal",
                    *_top_cells(rows, place),
                ]
            )
        self._file.flush()


def write_intervals(file: IO[str], intervals: Sequence[AnomalyInterval], rows: RowScores) -> None:
    """Write one line of CSV for each anomalous interval of a series.

    Args:
        file: text file.
        intervals: the intervals.
        rows: scores of the series.
    """
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["begin", "end", "rows", "peak", "sensors"])
    for begin, end, peak, sensors in intervals:
        ids = rows.ids[begin], rows.ids[end - 1]
        writer.writerow([*ids, end - begin, f"{peak:.9g}", "; ".join(map(str, sensors))])


def _heads(rows: RowScores) -> list[str]:
    """Return the headings of the columns that contribute most."""
    if rows.top is None:
        return []
    return [f"{head}_{place}" for place in range(1, TOP + 1) for head in ("column", "share")]


def _top_cells(rows: RowScores, place: int) -> list[str]:
    if rows.top is None or rows.shares is None:
        return []
    cells: list[str] = []
    for column, share in zip(rows.top[place], rows.shares[place], strict=True):
        cells += [column, f"{share:.4f}"]
    return cells + [""] * (2 * TOP - len(cells))
