"""Anomalies by the score of an autoencoder, beside PCA's error."""

import math
import time
from typing import NamedTuple

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.preprocessing import StandardScaler

from ae_multi.baselines import fit_pca, reconstruct_with_pca
from ae_multi.data.table import load_table
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector
from ae_multi.estimators.inputs import held_out
from ae_multi.tasks.result import Measure, Result, about

_ASIDE, _RATE = 0.2, 0.05  # kept out of training to draw the line, and the false alarms wanted
_TESTED = 0.4  # the share of a table's rows that are tested on
_SHOWN = 6


class Subject(NamedTuple):
    """What is learned from and what is tested: see `_images` and `_table`."""

    title: str
    train: np.ndarray
    test: np.ndarray
    anomalous: np.ndarray
    components: int
    scale: str | None
    data: dict
    settings: dict


def detect(options, normal=None, strange=None, table=None, label=None):
    """Learn what is normal and find what is not.

    Args:
        options: `Options`.
        normal: the class of images that is learned; all others are strange. 2 where neither this
            nor ``strange`` is given.
        strange: the class of images that is strange, in place of ``normal``: all others are
            learned.
        table: a .csv file in place of images, or None. Six in ten of its rows are learned from,
            whatever their labels, and the others tested.
        label: the table's column that is 1 for strange rows.

    Returns:
        A `Result`: the area under the ROC curve, and the average precision.
    """
    images = table is None
    subject = _images(options, normal, strange) if images else _table(options, table, label)
    train, test, odd = subject.train, subject.test, subject.anomalous
    # All that images teach is normal, so some can draw the line; of a table nobody knows that.
    enough = images and round(_ASIDE * len(train)) >= math.ceil(1 / _RATE) - 1
    detector = AnomalyDetector(
        scale=subject.scale,
        contamination="held_out" if enough else "auto",
        false_alarm_rate=_RATE,
        validation_fraction=_ASIDE,
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
    called = detector.predict(test) == -1
    return Result(
        task="detect",
        title=subject.title,
        measures=(
            Measure("AUROC", ".4f", higher=True),
            Measure("average precision", ".4f", higher=True),
        ),
        rows={
            name: (roc_auc_score(odd, found), average_precision_score(odd, found))
            for name, found in scores.items()
        },
        data=subject.data,
        settings={**subject.settings, "epochs": detector.n_iter_, "seed": options.seed},
        provenance=detector.provenance_,
        seconds=seconds,
        notes=(
            f"Learned from {len(train):,} {'normal images' if images else 'rows'}. "
            f"The line at a score of {-detector.offset_:.4g} "
            f"finds {called[odd].mean():.1%} of what is strange, and raises false alarms "
            f"for {called[~odd].mean():.1%} of what is normal.",
        ),
        picture={
            "curves": {name: roc_curve(odd, found)[:2] for name, found in scores.items()},
            "areas": {name: roc_auc_score(odd, found) for name, found in scores.items()},
            "scores": scores["autoencoder"],
            "anomalous": odd,
            "line": -detector.offset_,
            **_extremes(detector, test, odd, scores["autoencoder"], subject.data),
        },
    )


def _images(options, normal, strange):
    """One class is learned, or all but one; all are tested."""
    if normal is not None and strange is not None:
        raise InputError(
            "Expected a normal class or a strange one. "
            f"Received: normal {normal!r} and strange {strange!r}."
        )
    data = options.load()
    if strange is None:
        name, chosen = "normal", 2 if normal is None else normal
        title = f"Trained on class {chosen} alone: all other classes are strange"
        train, odd = data.x_train[data.y_train == chosen], data.y_test != chosen
    else:
        name, chosen = "strange", strange
        title = f"Trained on all classes but {chosen}, which alone is strange"
        train, odd = data.x_train[data.y_train != chosen], data.y_test == chosen
    if len(train) < 2 or odd.all() or not odd.any():
        known = np.intersect1d(data.y_train, data.y_test).tolist()
        raise InputError(
            f"Expected {name} to be a class out of {known}, with at least 2 normal images to learn "
            f"from and test images of both kinds. Received: {chosen!r}."
        )
    return Subject(title, train, data.x_test, odd, 32, None, about(data), {name: int(chosen)})


def _table(options, path, label):
    """Rows of both kinds are learned from, since nobody says which is which, and tested."""
    table = load_table(path, label)
    kept, tested = [], []
    for kind in (False, True):
        rows = np.flatnonzero(table.anomalous == kind)[: options.samples]
        if len(rows) < 2:
            raise InputError(
                f"Expected at least 2 normal and 2 strange rows in {path}. "
                f"Received: {len(rows)} {'strange' if kind else 'normal'}."
            )
        parts = held_out(options.seed, f"detect/{kind}", len(rows), _TESTED)
        kept.append(rows[parts[0]])
        tested.append(rows[parts[1]])
    kept, tested = np.sort(np.concatenate(kept)), np.sort(np.concatenate(tested))
    scaler = StandardScaler().fit(table.x[kept])
    described = {
        "name": table.source,
        "source": f"{len(table.columns)} columns, {table.anomalous.sum():,} strange rows",
        "train_rows": len(kept),
        "test_rows": len(tested),
        "columns": list(table.columns),
        "sha256": table.sha256,
    }
    return Subject(
        title=f"Rows that are strange by column {label!r}",
        train=scaler.transform(table.x[kept]),
        test=scaler.transform(table.x[tested]),
        anomalous=table.anomalous[tested],
        components=max(len(table.columns) // 4, 1),
        scale="standard",
        data=described,
        settings={"label": label},
    )


def _extremes(detector, test, anomalous, scores, data):
    """The most normal and the strangest samples, with the error of each of their values."""
    order = np.argsort(scores)
    count = min(_SHOWN, len(test) // 2)
    chosen = {"most normal": order[:count], "strangest": order[::-1][:count]}
    return {
        "extremes": {
            name: (test[rows], detector.feature_errors(test[rows]), scores[rows], anomalous[rows])
            for name, rows in chosen.items()
        },
        "columns": data.get("columns"),
    }
