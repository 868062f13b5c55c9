"""Training of an anomaly detector on a table, and its comparison with baselines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np

from ae_multi.data.columns import CellError
from ae_multi.data.table_file import TablePart
from ae_multi.estimators import AnomalyDetector
from ae_multi.estimators.inputs import held_out
from ae_multi.tasks.detect_training import (
    MEASURES,
    check_labels,
    describe_detection,
    describe_threshold,
    judge,
    labels_of,
    preprocessor_of,
    threshold_parameters,
)
from ae_multi.tasks.result import Options, Result

# Fraction of the normal rows that are left for judging if there are labels.
_TEST_FRACTION = 0.2


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
    preprocessor = preprocessor_of(
        frame, name, label=label, id_column=id_column, drop=drop, kinds=kinds
    )
    is_anomaly = labels_of(table, label)
    train, test = _split(is_anomaly, options.seed, label)
    detector = AnomalyDetector(
        preprocessor=preprocessor,
        scale="standard",
        **threshold_parameters(false_alarm_rate, len(train), "rows"),
        **options.training(),
    )
    begin = time.perf_counter()
    try:
        detector.fit(frame.iloc[train])
    except CellError as error:
        raise error.moved(int(train[error.row])) from None
    seconds = time.perf_counter() - begin
    fitted = detector.preprocessor_
    held_out_rows = f"{detector.reference_count_:,} held-out rows"
    rows, notes = (
        {},
        [describe_threshold(detector, false_alarm_rate, "the training rows", held_out_rows)],
    )
    if label is not None:
        try:
            scores = detector.anomaly_score(frame.iloc[test])
        except CellError as error:
            raise error.moved(int(test[error.row])) from None
        rows = judge(
            fitted, scores, frame.iloc[train], frame.iloc[test], is_anomaly[test], options.seed
        )
        notes.append(describe_detection(scores > -detector.offset_, is_anomaly[test]))
    result = Result(
        task="detect fit",
        title=f"Anomaly detector of {name}",
        measures=MEASURES,
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


def _split(is_anomaly: np.ndarray, seed: int, label: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Return (training rows, rows for judging), sorted indices."""
    normal, anomalous = np.flatnonzero(~is_anomaly), np.flatnonzero(is_anomaly)
    if label is None:
        return normal, anomalous
    check_labels(is_anomaly, label)
    kept, judged = held_out(seed, "detect fit", len(normal), _TEST_FRACTION)
    return normal[kept], np.sort(np.concatenate([normal[judged], anomalous]))
