"""Training of an anomaly detector on a table, and its comparison with baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from ae_multi.baselines import fit_pca, reconstruct_with_pca
from ae_multi.data.columns import CellError, as_text, columns_of
from ae_multi.data.table_file import TablePart
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, TablePreprocessor, thresholds
from ae_multi.estimators.inputs import held_out
from ae_multi.tasks.result import Measure, Options, Result

if TYPE_CHECKING:
    import pandas

# Fraction of the normal rows that are left for judging if there are labels.
_TEST_FRACTION = 0.2
# Fraction of the training rows that set the threshold: more where the rate of false alarms needs
# them, but at most half.
_HELD_OUT_FRACTION, _MAX_HELD_OUT_FRACTION = 0.2, 0.5
_NEIGHBORS = 5
_WORDS = {
    "1": True, "true": True, "yes": True, "anomalous": True, "anomaly": True,
    "0": False, "false": False, "no": False, "normal": False,
}  # fmt: skip


def fit_table(
    table: TablePart,
    name: str,
    options: Options,
    *,
    label: str | None = None,
    id_column: str | None = None,
    false_alarm_rate: float | None = None,
    drop: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> tuple[AnomalyDetector, Result]:
    """Train an `AnomalyDetector` on the rows of a table, most of which are normal.

    Args:
        table: the rows.
        name: name of the table for messages.
        options: ``epochs``, ``seed`` and ``verbose``; the others are not used.
        label: column that is 1 or true for anomalous rows. These rows and a fifth of the normal
            ones are not used in training; on them the detector is compared with the residual of
            PCA, nearest neighbors and an isolation forest.
        id_column: column that identifies a row; it is no feature, and scores are written with it.
        false_alarm_rate: rate for which the threshold is set on held-out rows; None for Tukey's
            fence of the training scores.
        drop: further columns that are no features.
        kinds: kinds of columns; see `TablePreprocessor`.

    Returns:
        (detector, `Result`). The rows of the result are empty without labels.

    Raises:
        InputError: a missing column, too few rows for the rate, labels of one kind only, or a value
            that its column cannot hold.
    """
    frame = table.frame
    for column in [label, id_column, *drop, *(kinds or {})]:
        if column is not None and column not in frame.columns:
            raise InputError(
                f"Expected a column of {name}: {', '.join(map(str, frame.columns))}. "
                f"Received: {column!r}."
            )
    chosen = dict(kinds or {})
    if id_column is not None:
        # First, since `score` takes the first identifier for the name of a row.
        chosen = {id_column: "identifier", **chosen}
    out = [column for column in (label, *drop) if column is not None]
    preprocessor = TablePreprocessor(kinds=chosen or None, drop=out or None)
    is_anomaly = labels_of(table, label)
    train, test = _split(is_anomaly, options.seed, label)
    detector = AnomalyDetector(
        preprocessor=preprocessor,
        scale="standard",
        **_threshold(false_alarm_rate, len(train)),
        **options.training(),
    )
    begin = time.perf_counter()
    detector.fit(frame.iloc[train])
    seconds = time.perf_counter() - begin
    fitted = detector.preprocessor_
    rows, notes = {}, [_describe_threshold(detector, false_alarm_rate)]
    if label is not None:
        rows = _judge(detector, frame.iloc[train], frame.iloc[test], is_anomaly[test], options.seed)
        alarms = detector.predict(frame.iloc[test]) == -1
        notes.append(
            f"Of the {len(test):,} rows that were not used in training it detects "
            f"{alarms[is_anomaly[test]].mean():.1%} of the anomalies and raises false alarms for "
            f"{alarms[~is_anomaly[test]].mean():.1%} of the normal rows."
        )
    result = Result(
        task="detect fit",
        title=f"Anomaly detector of {name}",
        measures=(
            Measure("AUROC", ".4f", higher=True),
            Measure("average precision", ".4f", higher=True),
        ),
        rows=rows,
        data={
            "name": name,
            "source": f"{len(fitted.encoders_)} columns as {detector.n_features_in_} features",
            "train_rows": len(train),
            **({"test_rows": len(test)} if label is not None else {}),
            "columns": fitted.columns_,
            "left_out": fitted.left_out_,
        },
        settings={
            "label": label,
            "id": id_column,
            "false_alarm_rate": false_alarm_rate,
            "threshold": -detector.offset_,
            "epochs": detector.n_iter_,
            "seed": options.seed,
        },
        provenance=detector.provenance_,
        seconds=seconds,
        notes=tuple(notes),
    )
    return detector, result


def labels_of(table: TablePart, label: str | None) -> np.ndarray:
    """Return which rows are labelled anomalous, booleans (n,)."""
    if label is None:
        return np.zeros(len(table.frame), bool)
    texts = as_text(columns_of(table.frame[[label]])[label])
    words = [None if text is None else _WORDS.get(text.lower()) for text in texts]
    for row, word in enumerate(words):
        if word is None:
            expected = "1 or true for anomalous rows and 0 or false for normal ones"
            raise CellError(expected, texts[row], label, row)
    return np.array(words, bool)


def _split(is_anomaly: np.ndarray, seed: int, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (training rows, rows for judging), sorted indices."""
    normal, anomalous = np.flatnonzero(~is_anomaly), np.flatnonzero(is_anomaly)
    if label is None:
        return normal, anomalous
    if len(normal) < 5 or not len(anomalous):
        raise InputError(
            "Expected at least 5 normal rows and 1 anomalous row to judge the detector. "
            f"Received: {len(normal)} and {len(anomalous)} by the column {label!r}."
        )
    kept, judged = held_out(seed, "detect fit", len(normal), _TEST_FRACTION)
    return normal[kept], np.sort(np.concatenate([normal[judged], anomalous]))


def _threshold(rate: float | None, rows: int) -> dict[str, Any]:
    """Return the parameters of the detector for a rate of false alarms.

    Raises:
        InputError: too few rows for the rate.
    """
    if rate is None:
        return {}
    if not 0 < rate < 1:
        raise InputError(f"Expected a false-alarm rate above 0 and below 1. Received: {rate:g}.")
    needed = thresholds.least_samples(rate)
    if needed > _MAX_HELD_OUT_FRACTION * rows:
        raise InputError(
            f"Expected at least {2 * needed:,} normal rows for training with a false-alarm rate of "
            f"{rate:g}, {needed:,} of which are held out to set the threshold. Received: {rows:,}. "
            "Use more rows or a higher rate."
        )
    return {
        "contamination": "held_out",
        "false_alarm_rate": rate,
        "validation_fraction": max(_HELD_OUT_FRACTION, needed / rows),
    }


def _describe_threshold(detector: AnomalyDetector, rate: float | None) -> str:
    limit = f"The threshold is a score of {-detector.offset_:.4g}"
    if rate is None:
        return f"{limit}, by Tukey's fence of the scores of the training rows."
    return (
        f"{limit}, for a false-alarm rate of {rate:g} by {detector.reference_count_:,} held-out "
        "rows."
    )


def _judge(
    detector: AnomalyDetector,
    train: pandas.DataFrame,
    test: pandas.DataFrame,
    is_anomaly: np.ndarray,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Return (AUROC, average precision) of the detector and of the baselines."""
    features = detector.preprocessor_.transform(train)
    scaler = StandardScaler().fit(features)
    known = scaler.transform(features)
    new = scaler.transform(detector.preprocessor_.transform(test))
    pca = fit_pca(known, max(known.shape[1] // 4, 1))
    residual = new - reconstruct_with_pca(pca, new)
    count = min(_NEIGHBORS, len(known))
    distances, _ = NearestNeighbors(n_neighbors=count).fit(known).kneighbors(new)
    forest = IsolationForest(random_state=seed).fit(known)
    scores = {
        "autoencoder": detector.anomaly_score(test),
        f"PCA-{pca.n_components_}": np.mean(residual**2, axis=1),
        f"kNN-{count}": distances.mean(axis=1),
        "isolation forest": -forest.score_samples(new),
    }
    return {
        method: (roc_auc_score(is_anomaly, score), average_precision_score(is_anomaly, score))
        for method, score in scores.items()
    }
