"""Options and files of the commands that read a table or a folder of images."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from ae_multi.errors import InputError


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add FILE, ``--separator`` and ``--encoding``."""
    parser.add_argument(
        "table",
        metavar="FILE",
        help="table in a .csv, .csv.gz, .parquet or .npy file, a folder of images of one size, or "
        "- for CSV on standard input",
    )
    parser.add_argument(
        "--separator",
        metavar="CHARACTER",
        help="separator of CSV (default: comma, semicolon, tab or |, by the first line)",
    )
    parser.add_argument(
        "--decimal",
        choices=(".", ","),
        default=".",
        help="decimal separator of numbers in CSV (default: .)",
    )
    parser.add_argument(
        "--encoding",
        metavar="NAME",
        help="encoding of CSV, such as cp1252 (default: UTF-8, or UTF-16 with a byte order mark; "
        "for other files Windows-1252)",
    )


def check_other_file(out: os.PathLike[str] | str, what: str, *others: Any) -> None:
    """Raise `InputError` if ``out`` is a file that is read, or another file that is written.

    Args:
        out: file to write.
        what: its content, for the message.
        *others: the other files; - and None are none.
    """
    for other in others:
        if other is None or other == "-":
            continue
        if os.path.realpath(out) == os.path.realpath(other):
            raise InputError(
                f"Expected a file of its own for {what}. Received: {out}, which is also another "
                "file of this command."
            )


def is_folder(options: argparse.Namespace, *of_tables: str) -> bool:
    """Return whether FILE is a folder, which holds images.

    Args:
        options: the parsed options.
        *of_tables: further options that are for tables only ("--label").

    Raises:
        InputError: a folder with one of these options, or with an option of `add_table_options`.
    """
    if options.table == "-" or not Path(options.table).is_dir():
        return False
    for option in ("--separator", "--encoding", *of_tables):
        if getattr(options, option[2:].replace("-", "_")):
            raise InputError(
                f"Expected a table in a file with {option}. Received: {options.table}, a folder."
            )
    return True


def add_detector_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--id`` of the commands that score a table."""
    parser.add_argument(
        "--model",
        type=Path,
        required=True,
        metavar="FILE.ae",
        help="detector that `ae-multi detect fit` has saved",
    )
    parser.add_argument(
        "--id",
        metavar="COLUMN",
        help="column that identifies a row (default: that of `detect fit`, or the row's number)",
    )


def opened_table(name: str) -> Any:
    """Return the name of the file, or the binary standard input for ``-``."""
    return sys.stdin.buffer if name == "-" else name
