"""Writer of CSV files."""

import csv


def write_csv(path, names, rows, delimiter=",", encoding=None):
    """Write a CSV file; return its path."""
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([names, *rows])
    return path
