"""Anomaly detection with an autoencoder, compared with the reconstruction error of PCA."""

import math
import os
import time
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.preprocessing import StandardScaler

from ae_multi.baselines import fit_pca, reconstruct_with_pca
from ae_multi.data.table import load_table
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector
from ae_multi.estimators.inputs import held_out
from ae_multi.tasks.result import Measure, Options, Result, about

# Fraction of normal images held out for the threshold, and the target rate of false alarms.
_HELD_OUT_FRACTION, _FALSE_ALARM_RATE = 0.2, 0.05
_TEST_FRACTION = 0.4  # of the rows of a table
_SHOWN = 6


class DetectionData(NamedTuple):
    """Training and test samples of the task, and their description.

    Attributes:
        title: title of the result.
        train: training samples.
        test: test samples.
        anomalous: which test samples are anomalies, booleans.
        components: number of principal components of the baseline.
        scale: parameter ``scale`` of `AnomalyDetector`.
        data: description of the data for the result.
        settings: settings for the result.
    """

    title: str
    train: np.ndarray
    test: np.ndarray
    anomalous: np.ndarray
    components: int
    scale: Literal["minmax", "standard"] | None
    data: dict
    settings: dict


def detect(
    options: Options,
    normal: int | None = None,
    anomalous: int | None = None,
    table: os.PathLike[str] | str | None = None,
    label: str | None = None,
) -> Result:
    """Train an anomaly detector and test it on normal and anomalous samples.

    Args:
        options: data and training.
        normal: class of the training images; all other classes are anomalous. The default is 2 if
            ``anomalous`` is None too.
        anomalous: the anomalous class, instead of ``normal``; the training images are all other
            classes.
        table: path of a .csv file to use instead of images, or None. 60 % of its rows are for
            training, with any label, the others for testing.
        label: column of the table that is 1 for anomalous rows.

    Returns:
        A `Result` with the area under the ROC curve and the average precision.
    """
    images = table is None
    subject = _images(options, normal, anomalous) if images else _table(options, table, label)
    train, test, is_anomaly = subject.train, subject.test, subject.anomalous
    # Training images are all normal, so some can calibrate the threshold; rows of a table are not.
    held_out_count = round(_HELD_OUT_FRACTION * len(train))
    can_calibrate = images and held_out_count >= math.ceil(1 / _FALSE_ALARM_RATE) - 1
    detector = AnomalyDetector(
        scale=subject.scale,
        contamination="held_out" if can_calibrate else "auto",
        false_alarm_rate=_FALSE_ALARM_RATE,
        validation_fraction=_HELD_OUT_FRACTION,
        **options.training(),
    )
    begin = time.perf_counter()
    detector.fit(train)
    seconds = time.perf_counter() - begin
    linear = fit_pca(train, subject.components)
    residual = (test - reconstruct_with_pca(linear, test)).reshape(len(test), -1)
    scores = {
        "autoencoder": detector.anomaly_score(test),
        f"PCA-{linear.n_components_}": np.mean(residual**2, axis=1),
    }
    detected = detector.predict(test) == -1
    return Result(
        task="detect",
        title=subject.title,
        measures=(
            Measure("AUROC", ".4f", higher=True),
            Measure("average precision", ".4f", higher=True),
        ),
        rows={
            name: (roc_auc_score(is_anomaly, score), average_precision_score(is_anomaly, score))
            for name, score in scores.items()
        },
        data=subject.data,
        settings={**subject.settings, "epochs": detector.n_iter_, "seed": options.seed},
        provenance=detector.provenance_,
        seconds=seconds,
        notes=(
            f"Trained on {len(train):,} {'normal images' if images else 'rows'}. "
            f"The threshold, a score of {-detector.offset_:.4g}, "
            f"detects {detected[is_anomaly].mean():.1%} of the anomalies and raises false alarms "
            f"for {detected[~is_anomaly].mean():.1%} of the normal samples.",
        ),
        picture={
            "curves": {name: roc_curve(is_anomaly, score)[:2] for name, score in scores.items()},
            "areas": {name: roc_auc_score(is_anomaly, score) for name, score in scores.items()},
            "scores": scores["autoencoder"],
            "anomalous": is_anomaly,
            "threshold": -detector.offset_,
            **_extremes(detector, test, is_anomaly, scores["autoencoder"], subject.data),
        },
    )


def _images(options: Options, normal: int | None, anomalous: int | None) -> DetectionData:
    """Return training images of one class, or of all but one, and test images of all classes."""
    if normal is not None and anomalous is not None:
        raise InputError(
            "Expected a normal or an anomalous class. "
            f"Received: normal {normal!r} and anomalous {anomalous!r}."
        )
    data = options.load()
    if anomalous is None:
        name, chosen = "normal", 2 if normal is None else normal
        title = f"Trained on class {chosen} alone: all other classes are anomalous"
        train, is_anomaly = data.x_train[data.y_train == chosen], data.y_test != chosen
    else:
        name, chosen = "anomalous", anomalous
        title = f"Trained on all classes but {chosen}, the anomalous class"
        train, is_anomaly = data.x_train[data.y_train != chosen], data.y_test == chosen
    if len(train) < 2 or is_anomaly.all() or not is_anomaly.any():
        classes = np.intersect1d(data.y_train, data.y_test).tolist()
        raise InputError(
            f"Expected {name} to be a class out of {classes}, with at least 2 normal images for "
            f"training and both normal and anomalous test images. Received: {chosen!r}."
        )
    return DetectionData(
        title, train, data.x_test, is_anomaly, 32, None, about(data), {name: int(chosen)}
    )


def _table(options: Options, path: Any, label: Any) -> DetectionData:
    """Return training and test rows; training is unsupervised, on normal and anomalous rows."""
    table = load_table(path, label)
    train_rows, test_rows = [], []
    for kind in (False, True):
        rows = np.flatnonzero(table.anomalous == kind)[: options.samples]
        if len(rows) < 2:
            raise InputError(
                f"Expected at least 2 normal and 2 anomalous rows in {path}. "
                f"Received: {len(rows)} {'anomalous' if kind else 'normal'}."
            )
        splits = held_out(options.seed, f"detect/{kind}", len(rows), _TEST_FRACTION)
        train_rows.append(rows[splits[0]])
        test_rows.append(rows[splits[1]])
    train = np.sort(np.concatenate(train_rows))
    test = np.sort(np.concatenate(test_rows))
    scaler = StandardScaler().fit(table.x[train])
    description = {
        "name": table.source,
        "source": f"{len(table.columns)} columns, {table.anomalous.sum():,} anomalous rows",
        "train_rows": len(train),
        "test_rows": len(test),
        "columns": list(table.columns),
        "sha256": table.sha256,
    }
    return DetectionData(
        title=f"Rows that are anomalous by column {label!r}",
        train=scaler.transform(table.x[train]),
        test=scaler.transform(table.x[test]),
        anomalous=table.anomalous[test],
        components=max(len(table.columns) // 4, 1),
        scale="standard",
        data=description,
        settings={"label": label},
    )


def _extremes(
    detector: AnomalyDetector,
    test: np.ndarray,
    anomalous: np.ndarray,
    scores: np.ndarray,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the samples with the lowest and highest scores, and the errors of their values."""
    order = np.argsort(scores)
    count = min(_SHOWN, len(test) // 2)
    chosen = {"most normal": order[:count], "most anomalous": order[::-1][:count]}
    return {
        "extremes": {
            name: (test[rows], detector.feature_errors(test[rows]), scores[rows], anomalous[rows])
            for name, rows in chosen.items()
        },
        "columns": data.get("columns"),
    }
