"""Training of an anomaly detector on a table whose rows are the timestamps of a series."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ae_multi.argument_checks import check_positive
from ae_multi.data.columns import CellError
from ae_multi.data.table_file import TablePart
from ae_multi.errors import InputError
from ae_multi.estimators import TimeSeriesDetector, thresholds, windows
from ae_multi.tasks.detect_score import check_order
from ae_multi.tasks.detect_training import (
    HELD_OUT_FRACTION,
    MAX_HELD_OUT_FRACTION,
    MEASURES,
    check_labels,
    check_rate,
    describe_detection,
    describe_threshold,
    judge,
    labels_of,
    preprocessor_of,
)
from ae_multi.tasks.result import Options, Result

DEFAULT_STRIDE = 8
# With labels, training ends after this fraction of the normal rows.
_TRAIN_FRACTION = 0.8


def fit_series(
    table: TablePart,
    name: str,
    options: Options,
    *,
    window: int,
    stride: int | None = None,
    label: str | None = None,
    id_column: str | None = None,
    false_alarm_rate: float | None = None,
    drop: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> tuple[TimeSeriesDetector, Result]:
    """Train a `TimeSeriesDetector` on the rows of a table in their order.

    Args:
        table: the rows, at equal distances in time; most of them are normal.
        name: name of the table for messages.
        options: ``epochs``, ``seed`` and ``verbose``; the others are not used.
        window: number of rows of a window.
        stride: distance of two windows; None for 8, or the window if that is smaller.
        label: column that is 1 or true for anomalous rows. Training uses the stretches of normal
            rows, of at least a window each, among the first four fifths of the normal rows. The
            other normal rows and all anomalous ones judge the detector beside the residual of PCA,
            nearest neighbors and an isolation forest, which score single rows.
        id_column: column that identifies a row; it is no feature, and scores are written with it.
        false_alarm_rate: rate for which the threshold is set on held-out rows; None for Tukey's
            fence of their scores.
        drop: further columns that are no features.
        kinds: kinds of columns; see `TablePreprocessor`.

    Returns:
        (detector, `Result`). The rows of the result are empty without labels.

    Raises:
        InputError: a missing column, too few rows for a window or the rate, labels of one kind
            only, or a value that its column cannot hold.
    """
    check_positive(window=window, stride=stride)
    frame = table.frame
    preprocessor = preprocessor_of(
        frame, name, label=label, id_column=id_column, drop=drop, kinds=kinds
    )
    check_order(table, name, id_column)
    is_anomaly = labels_of(table, label)
    stretches, is_test = _split(is_anomaly, window, label)
    lengths = [rows.stop - rows.start for rows in stretches]
    threshold = _threshold(false_alarm_rate, lengths, window, options.seed)
    detector = TimeSeriesDetector(
        window,
        min(DEFAULT_STRIDE, window) if stride is None else stride,
        preprocessor=preprocessor,
        **threshold,
        **options.training(),
    )
    begin = time.perf_counter()
    try:
        detector.fit(frame if label is None else [frame.iloc[rows] for rows in stretches])
    except CellError as error:
        raise error.moved(stretches[error.series or 0].start + error.row) from None
    seconds = time.perf_counter() - begin
    fitted = detector.preprocessor_
    blocks = _held_out_blocks(lengths, window, options.seed, detector.validation_fraction)
    trained_on = "the held-out rows" if blocks else "the training rows"
    notes = [
        describe_threshold(
            detector, false_alarm_rate, trained_on, f"{blocks:,} held-out blocks of {window} rows"
        )
    ]
    results = {}
    if label is not None:
        scores, truth = detector.anomaly_score(frame)[is_test], is_anomaly[is_test]
        train = np.concatenate([np.arange(rows.start, rows.stop) for rows in stretches])
        test = frame[is_test]
        results = judge(fitted, scores, frame.iloc[train], test, truth, options.seed)
        notes.append(describe_detection(scores > -detector.offset_, truth))
    result = Result(
        task="detect fit",
        title=f"Anomaly detector of the series {name}",
        measures=MEASURES,
        rows=results,
        data={
            "name": name,
            "source": f"{len(fitted.encoders_)} columns as {detector.n_features_in_} features, "
            f"windows of {window} rows",
            "train_rows": sum(lengths),
            **({"test_rows": int(is_test.sum())} if label is not None else {}),
            "columns": fitted.columns_,
            "left_out": fitted.left_out_,
        },
        settings={
            "window": window,
            "stride": detector.stride,
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


def _split(
    is_anomaly: np.ndarray, window: int, label: str | None
) -> tuple[list[slice], np.ndarray]:
    """Return (stretches of rows for training, which rows judge the detector).

    Raises:
        InputError: no stretch of a window, or labels of one kind only.
    """
    rows = len(is_anomaly)
    if label is None:
        return [slice(0, rows)], np.zeros(rows, bool)
    check_labels(is_anomaly, label)
    normal = np.flatnonzero(~is_anomaly)
    end = int(normal[int(_TRAIN_FRACTION * len(normal))])
    is_training = ~is_anomaly & (np.arange(rows) < end)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_training, [False]])))
    pairs = [(int(begin), int(stop)) for begin, stop in edges.reshape(-1, 2)]
    stretches = [slice(begin, stop) for begin, stop in pairs if stop - begin >= window]
    if not stretches:
        longest = max((stop - begin for begin, stop in pairs), default=0)
        raise InputError(
            f"Expected at least {window} consecutive normal rows, the window, in the first four "
            f"fifths of the normal rows. Received: at most {longest}. Use a shorter window."
        )
    return stretches, is_anomaly | (np.arange(rows) >= end)


def _threshold(
    rate: float | None, lengths: Sequence[int], window: int, seed: int
) -> dict[str, Any]:
    """Return the parameters of the detector for a rate of false alarms.

    Args:
        rate: the rate, or None.
        lengths: numbers of rows of the stretches for training.
        window: number of rows of a window.
        seed: seed of the held-out segments.

    Raises:
        InputError: too few rows for the rate.
    """
    if rate is None:
        return {"validation_fraction": HELD_OUT_FRACTION}
    check_rate(rate)
    needed, blocks = thresholds.least_samples(rate), 0
    for percent in range(round(100 * HELD_OUT_FRACTION), round(100 * MAX_HELD_OUT_FRACTION) + 1):
        blocks = _held_out_blocks(lengths, window, seed, percent / 100)
        if blocks >= needed:
            return {
                "contamination": "held_out",
                "false_alarm_rate": rate,
                "validation_fraction": percent / 100,
            }
    raise InputError(
        f"Expected rows of which at least {needed:,} blocks of {window} normal rows, the window, "
        f"can be held out to set the threshold for a false-alarm rate of {rate:g}; that takes more "
        f"than {2 * needed * window:,} rows. Received: {sum(lengths):,}, which give {blocks:,} "
        "blocks. Use more rows, a shorter window or a higher rate."
    )


def _held_out_blocks(lengths: Sequence[int], window: int, seed: int, fraction: float) -> int:
    """Return the number of held-out blocks of one window in series of these lengths."""
    return sum(
        (segment.stop - segment.start) // window
        for number, length in enumerate(lengths)
        for _, segment in windows.split(seed, number, length, window, fraction).held_out
    )
