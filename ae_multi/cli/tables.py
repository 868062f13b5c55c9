"""Options and files of the commands that read a table."""

import argparse
import sys
from typing import Any


def add_table_options(parser: argparse.ArgumentParser) -> None:
    """Add FILE, ``--separator`` and ``--encoding``."""
    parser.add_argument(
        "table",
        metavar="FILE",
        help="table in a .csv, .csv.gz, .parquet or .npy file, or - for CSV on standard input",
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


def opened_table(name: str) -> Any:
    """Return the name of the file, or the binary standard input for ``-``."""
    return sys.stdin.buffer if name == "-" else name
