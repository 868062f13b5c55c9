"""The score of the detector, compared on parts of the training data.

It is the error of a reconstruction plus its way to the nearest reconstructions of training
samples. How many of those are remembered, how many are nearest, and what their term weighs, is
chosen here.

    detect-one    one digit is normal: the first five sixths of MNIST's training images are
                  learned from, the others scored
    detect-nine   all digits but one are normal
    odds          of the training rows of each table 6 in 10 are learned from, whatever they are
"""

import itertools
import math
import statistics

from rich.table import Table

ROWS = ("detect-one", "detect-nine", "odds")
REMEMBERED = (2000, 8000)
CHOSEN = ("remembered", "weight", "neighbors")
WEIGHTS = (0.0, 0.5, 1.0, 2.0, 4.0)
IMAGES, TABLES = (1, 3, 10, 30), (0.01, 0.03, 0.1, 0.3)


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
        neighbors.MAX_SAMPLES,
        neighbors.weight_of("auto", images),
        neighbors.IMAGE_NEIGHBORS if images else neighbors.TABLE_NEIGHBOR_SHARE,
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


def areas(scale, train, rows, anomalous, counts):
    """The area under the ROC curve of each choice, as in `CHOSEN`, of a detector fitted once.

    Args:
        scale: the detector's parameter.
        train: what is learned from.
        rows: what is scored.
        anomalous: booleans, whether each of those is.
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
                area = float(roc_auc_score(anomalous, errors + weight * away))
                found[most, weight, count] = area
    return found


def _digits(row):
    from ae_multi.data import load_data
    from benchmarks.splits import without_test_images

    data = without_test_images(load_data("auto"))
    for digit in range(10):
        is_one = row == "detect-one"
        normal = (data.y_train == digit) == is_one
        yield None, data.x_train[normal], data.x_test, (data.y_test != digit) == is_one


def _tables():
    from benchmarks.splits import tables_without_test_rows

    for part in tables_without_test_rows():
        yield "minmax", *part


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
