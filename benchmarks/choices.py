"""How the detector's score was chosen, on training data alone: ``nox -s choices``.

The score is the error of a reconstruction plus its way to the nearest reconstructions of training
samples. How many of those are remembered, how many are nearest, and what their term weighs, is
chosen here: one part of the training data is learned from, another is scored, and no test sample
is looked at. Labels of the part that is scored tell what is strange in it, as they would in an
afternoon of trying out.

    detect-one    one digit is normal: the first five sixths of MNIST's training images are
                  learned from, the others scored
    detect-nine   all digits but one are normal
    odds          of the training rows of each table 6 in 10 are learned from, whatever they are
"""

import argparse
import itertools
import math
import os
import statistics
import sys
from pathlib import Path

from rich.table import Table

from ae_multi.cli.options import check_names, comma_separated
from ae_multi.cli.status import status_of
from ae_multi.parity import Settings
from ae_multi.report.json import write_json
from ae_multi.report.machine import machine
from ae_multi.report.tables import console
from benchmarks.command import add_run_options, check_paths
from benchmarks.processes import run

ROWS = ("detect-one", "detect-nine", "odds")
REMEMBERED = (2000, 8000)
CHOSEN = ("remembered", "weight", "neighbors")
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
IMAGES, TABLES = (1, 3, 10, 30), (0.01, 0.03, 0.1, 0.3)
_LEARNED = 5 / 6


def main(arguments=None):
    """Measure the rows that were asked for, print a table, and return the exit status."""
    options = _parser().parse_args(arguments)
    return status_of("choices", lambda: _measure_all(options))


def _measure_all(options):
    check_names("--rows", options.rows, ROWS)
    check_paths(options.json)
    settings = Settings(backends=options.backends, pythons=dict(options.python))
    backends = settings.available()[0]
    backend = "jax" if "jax" in backends else backends[0]
    rows = [row for row in options.rows if row != "odds" or os.environ.get("AE_MULTI_ODDS")]
    recorded = {"machine": machine(), "backend": backend, "rows": []}
    with console(stderr=True).status("starting") as status:
        for row in rows:
            status.update(row)
            found = run(settings.python(backend), backend, "choices", {"row": row}, options.device)
            recorded["rows"].append(found)
            if options.json:
                write_json(options.json, recorded)
    for found in recorded["rows"]:
        console().print(table(found))
    return 0


def measure(row):
    """The mean area under the ROC curve of each choice, over the digits or the tables of a row.

    Returns:
        Dict of ``row``, ``default`` and ``choices``, a list of dicts of ``remembered`` (at most),
        ``weight``, ``neighbors`` (a number, or for tables a share of what is remembered),
        ``auroc`` and ``parts``, what it is the mean of. ``default`` has the first three.
    """
    from ae_multi.estimators import neighbors

    images = row != "odds"
    counts = IMAGES if images else TABLES
    parts = [areas(*part, counts) for part in (_digits(row) if images else _tables())]
    chosen = (
        neighbors.MOST,
        neighbors.weight_of("auto", images),
        neighbors.FEW if images else neighbors.SHARE,
    )
    choices = [
        {
            **dict(zip(CHOSEN, choice, strict=True)),
            "auroc": statistics.fmean(part[choice] for part in parts),
            "parts": [part[choice] for part in parts],
        }
        for choice in parts[0]
    ]
    return {"row": row, "default": dict(zip(CHOSEN, chosen, strict=True)), "choices": choices}


def areas(scale, train, rows, strange, counts):
    """The area under the ROC curve of each choice, as in `CHOSEN`, of a detector fitted once.

    Args:
        scale: the detector's parameter.
        train: what is learned from.
        rows: what is scored.
        strange: booleans, whether each of those is.
        counts: numbers of neighbors, or below 1 shares of what is remembered.
    """
    from sklearn.metrics import roc_auc_score

    from ae_multi import AnomalyDetector, training
    from ae_multi.estimators.neighbors import squared_differences
    from ae_multi.estimators.scores import as_rows, mean, squared_errors

    detector = AnomalyDetector(scale=scale).fit(train)
    scaled = detector._checked(rows)
    outputs = as_rows(detector._outputs(scaled))
    known = as_rows(training.predict(detector.network_.decoder, detector.codes_))
    errors, found = mean(squared_errors(as_rows(scaled), outputs)), {}
    for most in REMEMBERED:
        fewer = known[:: math.ceil(len(known) / most)]
        for count in counts:
            near = max(round(count * len(fewer)), 1) if count < 1 else count
            away = mean(squared_differences(outputs, fewer, near))
            for weight in WEIGHTS:
                area = float(roc_auc_score(strange, errors + weight * away))
                found[most, weight, count] = area
    return found


def _digits(row):
    from ae_multi.data import load_data

    data = load_data("auto")
    learned = int(_LEARNED * len(data.x_train))
    x, y = data.x_train[:learned], data.y_train[:learned]
    others, labels = data.x_train[learned:], data.y_train[learned:]
    for digit in range(10):
        is_one = row == "detect-one"
        normal = (y == digit) if is_one else (y != digit)
        strange = (labels != digit) if is_one else (labels == digit)
        yield None, x[normal], others, strange


def _tables():
    from sklearn.preprocessing import StandardScaler

    from ae_multi.data.mat import read_mat
    from benchmarks.odds import SETS, parted

    for name in SETS:
        rows, marks = read_mat(Path(os.environ["AE_MULTI_ODDS"]) / f"{name}.mat")
        # As the benchmark parts them, whose test rows are left alone; and once more.
        rows, _, marks, _ = parted(rows, marks)
        train, scored, _, strange = parted(rows, marks, stratify=marks)
        scaler = StandardScaler().fit(train)
        yield "minmax", scaler.transform(train), scaler.transform(scored), strange.astype(bool)


def best(found):
    """The choice of the largest area, and the one that is the default."""
    choices, default = found["choices"], found["default"].items()
    default = next(choice for choice in choices if default <= choice.items())
    return max(choices, key=lambda choice: choice["auroc"]), default


def table(found):
    """A line for what is remembered and each weight, a column for each number of neighbors."""
    by = {tuple(c[name] for name in CHOSEN): c["auroc"] for c in found["choices"]}
    remembered, weights, counts = (sorted(set(column)) for column in zip(*by, strict=True))
    first, default = best(found)
    made = Table(
        "remembered",
        "weight",
        title=f"{found['row']}: mean AUROC on a part of the training data, by the number of "
        "neighbors and the weight of their term",
        caption=f"best {first['auroc']:.4f}, default {default['auroc']:.4f}",
        title_justify="left",
    )
    for count in counts:
        made.add_column(f"{count:.0%}" if count < 1 else str(count), justify="right")
    for most, weight in itertools.product(remembered, weights):
        areas_of = (by[most, weight, count] for count in counts)
        made.add_row(f"{most:,}", f"{weight:g}", *(f"{area:.4f}" for area in areas_of))
    return made


def _parser():
    parser = argparse.ArgumentParser(prog="choices", description=__doc__.partition("\n")[0])
    add_run_options(parser, "write all of it")
    parser.add_argument(
        "--rows", type=comma_separated, default=ROWS, metavar="NAMES",
        help=f"some of {', '.join(ROWS)} (default: all)",
    )  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
