"""Faults found and false alarms as all bounds are scaled, from recorded results.

``python -m tests.robustness.operating_points FAULTS.json CLEAN.json …`` prints the table.
"""

import argparse
import json
from pathlib import Path

from ae_multi.report.tables import console, plain_table
from tests.robustness.false_positives.__main__ import shares_of_bounds
from tests.robustness.fault_injection.run import FACTORS


def operating_points(faults, *clean):
    """Yield (factor, (faults found, all faults), (clean runs with a false alarm, all of them)).

    Args:
        faults: JSON of ``nox -s faults``, a dict.
        clean: JSON of ``nox -s zoo`` or ``nox -s alarms``, dicts.
    """
    injected = faults["faults"]
    runs = [run for recorded in clean for run in recorded["runs"]]
    for factor in FACTORS:
        found = sum(factor in fault["caught_at"] for fault in injected)
        alarms = sum(not run["closest"] or closeness(run) > factor for run in runs)
        yield factor, (found, len(injected)), (alarms, len(runs))


def closeness(run):
    """Return the largest ratio of error to bound in a clean run, of backends that can train.

    Comparisons bit by bit, whose bound is 0, do not count.
    """
    shares = (share for share, entry, b in shares_of_bounds(run) if entry["bound"][b])
    return max(shares, default=0.0)


def lines(faults, *clean):
    """Yield the rows of the table as tuples of strings."""
    for factor, found, alarms in operating_points(faults, *clean):
        shown = f"{factor:g}" if factor >= 1 else f"1/{1 / factor:g}"
        yield shown, *(f"{count} of {all_of_them}" for count, all_of_them in (found, alarms))


def main(arguments=None):
    """Run as a program; return the exit status."""
    parser = argparse.ArgumentParser(prog="operating_points", description=__doc__)
    parser.add_argument("faults", type=Path, help="JSON of nox -s faults")
    parser.add_argument("clean", type=Path, nargs="+", help="JSON of nox -s zoo or nox -s alarms")
    options = parser.parse_args(arguments)
    recorded = [json.loads(path.read_text()) for path in (options.faults, *options.clean)]
    table = plain_table("All bounds scaled by a factor")
    for name in ("factor", "faults found", "false alarms"):
        table.add_column(name, justify="right")
    for cells in lines(*recorded):
        table.add_row(*cells)
    console().print(table)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
