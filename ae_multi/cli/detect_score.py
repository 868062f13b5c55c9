"""``ae-multi detect score``: score the rows of a table by a saved detector."""

import argparse
import contextlib
import sys
from collections.abc import Iterator
from typing import IO

import numpy as np

from ae_multi.cli.startup import import_backend
from ae_multi.cli.tables import (
    add_detector_options,
    add_table_options,
    check_other_file,
    opened_table,
)
from ae_multi.data.table_file import name_of, read_parts
from ae_multi.errors import InputError
from ae_multi.io.atomic import atomic_write, check_file, check_writable
from ae_multi.report.progress import job_progress
from ae_multi.report.tables import console
from ae_multi.terminal import discard


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_table_options(parser)
    add_detector_options(parser)
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE.csv",
        help="where to write the scores, or - for standard output",
    )


def run(options: argparse.Namespace) -> int:
    """Score all rows and return 0."""
    check_file(options.model, "the file of a detector")
    if options.out != "-":
        check_writable(options.out, "the scores")
        check_other_file(options.out, "the scores", options.table, options.model)
    source = opened_table(options.table)
    name = name_of(source)
    with job_progress(console(stderr=True), "detect score"):
        parts = read_parts(source, options.separator, options.encoding, options.decimal)
        import_backend(trains=False)
        from ae_multi.tasks.detect_score import (
            ScoreWriter,
            id_column_of,
            load_table_detector,
            score_part,
        )

        detector = load_table_detector(options.model)
        id_column = options.id or id_column_of(detector)
        scores, alarms = [], 0
        with _output(options.out) as file:
            writer = None
            for part in parts:
                if writer is None:
                    if options.id and options.id not in part.frame.columns:
                        raise InputError(
                            f"Expected a column of {name}: {', '.join(part.frame.columns)}. "
                            f"Received: --id {options.id}."
                        )
                    id_column = id_column if id_column in part.frame.columns else None
                    writer = ScoreWriter(file, id_column or "row")
                rows = score_part(detector, part, name, id_column)
                writer.write(rows)
                scores.append(rows.scores)
                alarms += int(rows.is_anomaly.sum())
            if writer is None:
                raise InputError(f"Expected rows in {name}. Received: none.")
    if options.out != "-":
        everything = np.concatenate(scores)
        out = console()
        out.print(
            f"Scored {len(everything):,} rows, {alarms:,} of which are anomalous "
            f"({alarms / len(everything):.2%}): {options.out}",
            soft_wrap=True,
        )
        out.print(detector.check_scores(everything).text, soft_wrap=True)
    return 0


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
