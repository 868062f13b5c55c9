"""Writer of CSV files."""

import csv


def write_csv(path, names, rows):
    """Write a CSV file; return its path."""
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path
