"""Splits of the training data: one for training, one for evaluation."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ae_multi.data.dataset import Dataset

_TRAINING = 5 / 6


def without_test_images(data: Dataset) -> Dataset:
    """Return a `Dataset` whose test images are the last sixth of the training images of ``data``.

    Args:
        data: the `Dataset`; its test images are not used.
    """
    count = int(_TRAINING * len(data.x_train))
    x, y = data.x_train, data.y_train
    return Dataset(
        x[:count],
        y[:count],
        x[count:],
        y[count:],
        name=data.name,
        source=f"{data.source}; training images split in two",
    )


def tables_without_test_rows() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Split the training rows of each table of `benchmarks.odds`; test rows are not used.

    Yields:
        (train, others, anomalous): 60 % of the training rows, outliers included; the other
        training rows; and booleans, which of the latter are outliers. The columns of ``train``
        have mean 0 and standard deviation 1.
    """
    from sklearn.preprocessing import StandardScaler

    from ae_multi.data.mat import read_mat
    from benchmarks.odds import SETS, split_rows

    for name in SETS:
        rows, marks = read_mat(Path(os.environ["AE_MULTI_ODDS"]) / f"{name}.mat")
        # The split of the benchmark, and then the same split of its training rows.
        rows, _, marks, _ = split_rows(rows, marks)
        train, others, _, anomalous = split_rows(rows, marks, stratify=marks)
        scaler = StandardScaler().fit(train)
        yield scaler.transform(train), scaler.transform(others), anomalous.astype(bool)
