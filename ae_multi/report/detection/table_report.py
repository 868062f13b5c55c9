"""Report on the scores of a table by a detector that ``ae-multi detect fit`` has saved."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ae_multi.data.columns import CellError, columns_of, convert
from ae_multi.data.table_file import TablePart
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, TimeSeriesDetector
from ae_multi.estimators.column_kinds import TYPES
from ae_multi.report.detection import DetectionReport, write_detection_report
from ae_multi.tasks.detect_score import at_place, id_column_of
from ae_multi.tasks.detect_training import labels_of

if TYPE_CHECKING:
    import pandas


def write_table_report(
    detector: AnomalyDetector | TimeSeriesDetector,
    table: TablePart,
    name: str,
    path: os.PathLike[str] | str,
    *,
    label: str | None = None,
    id_column: str | None = None,
    time_column: str | None = None,
) -> DetectionReport:
    """Score a table and write the report as one self-contained HTML file.

    Args:
        detector: from `ae_multi.tasks.detect_score.load_table_detector`.
        table: the rows.
        name: name of the table, for the title and for messages.
        path: file to write.
        label: column that is 1 or true for anomalous rows, or None.
        id_column: column whose values identify the rows; None for the one of ``detect fit``.
        time_column: column of the times of the rows; None for the first column of dates.

    Returns:
        The contents of the report.

    Raises:
        InputError: a missing column, a value that its column cannot hold, or Bokeh is missing.
    """
    for column in (label, id_column, time_column):
        if column is not None and column not in table.frame.columns:
            raise InputError(
                f"Expected a column of {name}: {', '.join(map(str, table.frame.columns))}. "
                f"Received: {column!r}."
            )
    kinds = detector.preprocessor_.columns_
    id_column = id_column or id_column_of(detector)
    if time_column is None:
        dates = [column for column, kind in kinds.items() if TYPES.get(kind) == "date"]
        time_column = next((column for column in dates if column in table.frame.columns), None)
    try:
        columns = columns_of(table.frame)
        times = time_column and convert(columns[time_column], "date", time_column)
        return write_detection_report(
            detector,
            _typed(table.frame, kinds),
            path,
            title=f"Anomalies in {len(table.frame):,} rows of {name}",
            ids=table.frame[id_column].tolist() if id_column in table.frame.columns else None,
            times=times,
            anomalous=None if label is None else labels_of(table, label),
        )
    except CellError as error:
        raise at_place(error, table, name) from None


def _typed(frame: pandas.DataFrame, kinds: dict[str, str]) -> pandas.DataFrame:
    """Return the columns of a detector's table with values of their kinds instead of text."""
    columns = columns_of(frame)
    typed = {
        name: convert(columns[name], TYPES[kind], name)
        for name, kind in kinds.items()
        if kind in TYPES and name in columns
    }
    return frame.assign(**typed)
