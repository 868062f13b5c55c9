"""Selection of the detector's score on splits of the training data.

The score is the reconstruction error plus a weighted term: the distance from the reconstruction to
the nearest reconstructions of training samples. Three settings are compared: the number of stored
reconstructions, the number of nearest neighbors, and the weight of the term.

    detect-one    one digit is normal; the first five sixths of MNIST's training images are for
                  training, the others for evaluation
    detect-nine   all digits but one are normal
    odds          60 % of the training rows of each table, outliers included, are for training
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
    """Measure the mean area under the ROC curve of each choice of settings.

    Args:
        row: a name of `ROWS`. The mean is over its digits or tables.

    Returns:
        Dict of ``row``, ``default`` and ``choices``, a list of dicts of ``remembered`` (maximum
        number of stored samples), ``weight``, ``neighbors`` (a number, or for tables a fraction
        of the stored samples), ``auroc`` and ``parts``, the areas of which ``auroc`` is the mean.
        ``default`` has the first three.
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
    """Return the area under the ROC curve of each choice of settings, with one fitted detector.

    Args:
        scale: the parameter ``scale`` of the detector.
        train: training samples.
        rows: evaluation samples.
        anomalous: booleans, which of ``rows`` are anomalous.
        counts: numbers of neighbors; below 1, fractions of the stored samples.

    Returns:
        Dict of (remembered, weight, count), in the order of `CHOSEN`, to area.
    """
    from sklearn.metrics import roc_auc_score

    from ae_multi import AnomalyDetector, training
    from ae_multi.estimators.neighbors import squared_differences
    from ae_multi.estimators.scores import as_rows, mean, squared_errors

    detector = AnomalyDetector(scale=scale, criterion="manifold").fit(train)
    scaled = detector._checked(rows)
    outputs = as_rows(detector._outputs(scaled))
    stored = as_rows(training.predict(detector.network_.decoder, detector.codes_))
    errors, result = mean(squared_errors(as_rows(scaled), outputs)), {}
    for remembered in REMEMBERED:
        subset = stored[:: math.ceil(len(stored) / remembered)]
        for count in counts:
            neighbors = max(round(count * len(subset)), 1) if count < 1 else count
            distances = mean(squared_differences(outputs, subset, neighbors))
            for weight in WEIGHTS:
                area = float(roc_auc_score(anomalous, errors + weight * distances))
                result[remembered, weight, count] = area
    return result


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


def best(scores):
    """Return the choice with the largest area, and the default choice."""
    choices, default = scores["choices"], scores["default"].items()
    default = next(choice for choice in choices if default <= choice.items())
    return max(choices, key=lambda choice: choice["auroc"]), default


def table(scores):
    """Return a table: rows for stored samples and weights, columns for numbers of neighbors."""
    by_choice = {tuple(c[name] for name in CHOSEN): c["auroc"] for c in scores["choices"]}
    sizes, weights, counts = (sorted(set(column)) for column in zip(*by_choice, strict=True))
    first, default = best(scores)
    result = Table(
        "stored",
        "weight",
        title=f"{scores['row']}: mean AUROC on a split of the training data, by the number of "
        "neighbors and the weight of their term",
        caption=f"best {first['auroc']:.4f}, default {default['auroc']:.4f}",
        title_justify="left",
    )
    for count in counts:
        result.add_column(f"{count:.0%}" if count < 1 else str(count), justify="right")
    for size, weight in itertools.product(sizes, weights):
        row = (by_choice[size, weight, count] for count in counts)
        result.add_row(f"{size:,}", f"{weight:g}", *(f"{area:.4f}" for area in row))
    return result
