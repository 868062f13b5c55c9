"""Parts of the training of a detector that tables, series and images share."""

from __future__ import annotations

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
from ae_multi.estimators import TablePreprocessor, thresholds
from ae_multi.tasks.result import Measure

if TYPE_CHECKING:
    import pandas

MEASURES = (
    Measure("AUROC", ".4f", higher=True),
    Measure("average precision", ".4f", higher=True),
)
# Fraction of the training samples that set the threshold: more where the rate of false alarms
# needs them, but at most half.
HELD_OUT_FRACTION, MAX_HELD_OUT_FRACTION = 0.2, 0.5
_NEIGHBORS = 5
_WORDS = {
    "1": True, "1.0": True, "true": True, "yes": True, "anomalous": True, "anomaly": True,
    "0": False, "0.0": False, "false": False, "no": False, "normal": False,
}  # fmt: skip


def preprocessor_of(
    frame: pandas.DataFrame,
    name: str,
    *,
    label: str | None,
    id_column: str | None,
    drop: Sequence[str],
    kinds: Mapping[str, str] | None,
) -> TablePreprocessor:
    """Return the preprocessor for the options of a table.

    Args:
        frame: the rows.
        name: name of the table for messages.
        label: column of the labels, or None.
        id_column: column that identifies a row, or None.
        drop: further columns that are no features.
        kinds: kinds of columns; see `TablePreprocessor`.

    Raises:
        InputError: a missing column.
    """
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
    return TablePreprocessor(kinds=chosen or None, drop=out or None)


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


def check_labels(is_anomaly: np.ndarray, label: str) -> None:
    """Raise `InputError` if labels name too few normal or anomalous rows to judge a detector."""
    normal, anomalous = int((~is_anomaly).sum()), int(is_anomaly.sum())
    if normal < 5 or not anomalous:
        raise InputError(
            "Expected at least 5 normal rows and 1 anomalous row to judge the detector. "
            f"Received: {normal} and {anomalous} by the column {label!r}."
        )


def check_rate(rate: float) -> None:
    """Raise `InputError` unless ``rate`` is a rate of false alarms."""
    if not 0 < rate < 1:
        raise InputError(f"Expected a false-alarm rate above 0 and below 1. Received: {rate:g}.")


def threshold_parameters(rate: float | None, samples: int, unit: str) -> dict[str, Any]:
    """Return the parameters of an `AnomalyDetector` for a rate of false alarms.

    Args:
        rate: the rate, or None for Tukey's fence.
        samples: number of training samples.
        unit: name of the samples.

    Raises:
        InputError: too few samples for the rate.
    """
    if rate is None:
        return {}
    check_rate(rate)
    needed = thresholds.least_samples(rate)
    if needed > MAX_HELD_OUT_FRACTION * samples:
        raise InputError(
            f"Expected at least {2 * needed:,} normal {unit} for training with a false-alarm rate "
            f"of {rate:g}, {needed:,} of which are held out to set the threshold. "
            f"Received: {samples:,}. Use more {unit} or a higher rate."
        )
    return {
        "contamination": "held_out",
        "false_alarm_rate": rate,
        "validation_fraction": max(HELD_OUT_FRACTION, needed / samples),
    }


def describe_threshold(detector: Any, rate: float | None, training: str, held_out: str) -> str:
    """Return a sentence about the threshold of a detector.

    Args:
        detector: the fitted detector.
        rate: rate of false alarms, or None for Tukey's fence.
        training: what gives the fence ("the training rows").
        held_out: what sets the threshold for a rate ("20 held-out rows").
    """
    limit = f"The threshold is a score of {-detector.offset_:.4g}"
    if rate is None:
        return f"{limit}, by Tukey's fence of the scores of {training}."
    return f"{limit}, for a false-alarm rate of {rate:g} by {held_out}."


def describe_detection(alarms: np.ndarray, is_anomaly: np.ndarray) -> str:
    """Return a sentence about the alarms in labelled rows, booleans (n,) each."""
    return (
        f"Of the {len(alarms):,} rows that were not used in training it detects "
        f"{alarms[is_anomaly].mean():.1%} of the anomalies and raises false alarms for "
        f"{alarms[~is_anomaly].mean():.1%} of the normal rows."
    )


def judge(
    preprocessor: TablePreprocessor,
    scores: np.ndarray,
    train: pandas.DataFrame,
    test: pandas.DataFrame,
    is_anomaly: np.ndarray,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Return (AUROC, average precision) of a detector and of the baselines.

    Args:
        preprocessor: the fitted preprocessor of the detector.
        scores: anomaly scores of the detector, (test rows,).
        train: training rows.
        test: test rows.
        is_anomaly: which test rows are anomalous, booleans.
        seed: seed of the isolation forest.

    Returns:
        Dict from methods to two numbers.
    """
    features = preprocessor.transform(train)
    scaler = StandardScaler().fit(features)
    known = scaler.transform(features)
    new = scaler.transform(preprocessor.transform(test))
    pca = fit_pca(known, max(known.shape[1] // 4, 1))
    residual = new - reconstruct_with_pca(pca, new)
    count = min(_NEIGHBORS, len(known))
    distances, _ = NearestNeighbors(n_neighbors=count).fit(known).kneighbors(new)
    forest = IsolationForest(random_state=seed).fit(known)
    methods = {
        "autoencoder": scores,
        f"PCA-{pca.n_components_}": np.mean(residual**2, axis=1),
        f"kNN-{count}": distances.mean(axis=1),
        "isolation forest": -forest.score_samples(new),
    }
    return {
        method: (roc_auc_score(is_anomaly, score), average_precision_score(is_anomaly, score))
        for method, score in methods.items()
    }
