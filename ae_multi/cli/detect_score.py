"""``ae-multi detect score``: score the rows of a table, or images, by a saved detector."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ae_multi.cli.startup import import_backend
from ae_multi.cli.tables import (
    add_detector_options,
    add_table_options,
    check_other_file,
    is_folder,
    opened_table,
)
from ae_multi.data.table_file import name_of, read_parts, read_table
from ae_multi.errors import InputError
from ae_multi.io.atomic import atomic_write, check_file, check_writable
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.terminal import discard

if TYPE_CHECKING:
    from ae_multi.estimators.intervals import AnomalyInterval
    from ae_multi.tasks.detect_score import RowScores

# Number of intervals that are printed.
MAX_INTERVALS = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_table_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE.csv",
        help="where to write the scores, or - for standard output; the rows of a time series have "
        "no probability",
    )
    parser.add_argument(
        "--intervals",
        metavar="FILE.csv",
        help="where to write the anomalous intervals of a time series",
    )


def run(options: argparse.Namespace) -> int:
    """Score all rows and return 0."""
    check_file(options.model, "the file of a detector")
    if options.out != "-":
        check_writable(options.out, "the scores")
        check_other_file(options.out, "the scores", options.table, options.model, options.intervals)
    if options.intervals:
        check_writable(options.intervals, "the intervals")
        check_other_file(options.intervals, "the intervals", options.table, options.model)
    has_images = is_folder(options, "--id", "--intervals")
    with job_progress(console(stderr=True), "detect score"):
        import_backend(trains=False)
        from ae_multi.tasks.detect_score import ScoreWriter, write_intervals

        detector, parts, intervals = _scored(options, has_images)
        scores, alarms, rows = [], 0, None
        with _output(options.out) as file:
            writer = ScoreWriter(file)
            for rows in parts:
                writer.write(rows)
                scores.append(rows.scores)
                alarms += int(rows.is_anomaly.sum())
            if rows is None:
                name = name_of(opened_table(options.table))
                raise InputError(f"Expected rows in {name}. Received: none.")
        if options.intervals:
            with _output(options.intervals) as file:
                write_intervals(file, intervals or [], rows)
    if options.out != "-":
        everything = np.concatenate(scores)
        out = console()
        unit = "images" if has_images else "rows"
        out.print(
            f"Scored {len(everything):,} {unit}, {alarms:,} of which are anomalous "
            f"({alarms / len(everything):.2%}): {options.out}",
            soft_wrap=True,
        )
        if intervals is None:
            out.print(detector.check_scores(everything).text, soft_wrap=True)
        else:
            for line in _described(intervals, rows):
                out.print(line, soft_wrap=True, markup=False, highlight=False)
    return 0


def _scored(
    options: argparse.Namespace, has_images: bool
) -> tuple[Any, Iterable[RowScores], list[AnomalyInterval] | None]:
    """Return (detector, parts of the scores, the intervals of a series or None)."""
    if has_images:
        from ae_multi.tasks.detect_images import load_image_detector, open_images, scored_images

        detector = load_image_detector(options.model)
        return detector, scored_images(detector, open_images(options.table, detector)), None
    from ae_multi.estimators import TimeSeriesDetector
    from ae_multi.tasks.detect_score import load_table_detector, scored_rows, scored_series

    table_detector = load_table_detector(options.model)
    source = opened_table(options.table)
    form = (options.separator, options.encoding, options.decimal)
    if isinstance(table_detector, TimeSeriesDetector):
        # The score of a row depends on rows before and after it.
        table = read_table(source, *form)
        rows, intervals = scored_series(table_detector, table, name_of(source), options.id)
        return table_detector, [rows], intervals
    if options.intervals:
        raise InputError(
            "Expected a detector of time series with --intervals, as from `ae-multi detect fit "
            f"--window`. Received: {options.model}, which scores single rows."
        )
    parts = read_parts(source, *form)
    return table_detector, scored_rows(table_detector, parts, name_of(source), options.id), None


def _described(intervals: list[AnomalyInterval], rows: RowScores) -> Iterator[str]:
    """Yield a line about each of the intervals of a series with the highest peaks."""
    highest = sorted(intervals, key=lambda interval: -interval.score)[:MAX_INTERVALS]
    which = f", of which the {MAX_INTERVALS} highest are" if len(intervals) > len(highest) else ""
    unit = "interval" if len(intervals) == 1 else "intervals"
    yield f"{len(intervals):,} anomalous {unit}{which}{':' if intervals else '.'}"
    for begin, end, peak, sensors in sorted(highest):
        yield (
            f"  {rows.id_name} {rows.ids[begin]} to {rows.ids[end - 1]}: peak {peak:.4g}, "
            f"{', '.join(map(str, sensors))}"
        )


@contextlib.contextmanager
def _output(path: str) -> Iterator[IO[str]]:
    """Open the file of scores, which appears when it is complete; or return standard output."""
    if path == "-":
        try:
            yield sys.stdout
        except BrokenPipeError:  # the reader wants no more
            discard(sys.stdout)
        return
    with (
        atomic_write(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8") as file,
    ):
        yield file
