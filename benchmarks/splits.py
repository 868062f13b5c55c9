"""Training data in two parts: one to learn from, one to choose by."""

import os
from pathlib import Path

from ae_multi.data.dataset import Dataset

_LEARNED = 5 / 6


def without_test_images(data):
    """The first five sixths of a `Dataset`'s training images, the others in place of its test's.

    Args:
        data: the `Dataset`, whose test images are not looked at.
    """
    learned = int(_LEARNED * len(data.x_train))
    x, y = data.x_train, data.y_train
    return Dataset(
        x[:learned],
        y[:learned],
        x[learned:],
        y[learned:],
        name=data.name,
        source=f"{data.source}; its training images in two parts",
    )


def tables_without_test_rows():
    """Each of the tables of `benchmarks.odds`, whose test rows are left alone.

    Returns:
        Generator of (train, others, strange): rows to learn from, 6 in 10 of the training rows,
        whatever they are; the other training rows; and booleans, which of those are outliers.
        Columns have mean 0 and standard deviation 1 in the rows to learn from.
    """
    from sklearn.preprocessing import StandardScaler

    from ae_multi.data.mat import read_mat
    from benchmarks.odds import SETS, parted

    for name in SETS:
        rows, marks = read_mat(Path(os.environ["AE_MULTI_ODDS"]) / f"{name}.mat")
        # As the benchmark parts them, and what it learns from once more.
        rows, _, marks, _ = parted(rows, marks)
        train, others, _, anomalous = parted(rows, marks, stratify=marks)
        scaler = StandardScaler().fit(train)
        yield scaler.transform(train), scaler.transform(others), anomalous.astype(bool)
