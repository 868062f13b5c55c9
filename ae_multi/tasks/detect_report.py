"""Anomaly scores of samples and what explains them, computed with a fitted detector."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, TimeSeriesDetector
from ae_multi.models.base import predict_float32
from ae_multi.tasks import detect_baselines, report_images, report_series
from ae_multi.tasks.report_columns import (
    column_names,
    percent,
    rows_of,
    shown_value,
    typical_values,
    values_of_columns,
)
from ae_multi.tasks.report_contents import DetectionReport
from ae_multi.tasks.report_points import map_of_codes, select_points, strangest_rows

# Rows in the plots: those beyond the threshold, and those of the others. Each image is stored in
# the page, so fewer of them are drawn.
MAX_ALARMS, MAX_OTHERS = 5000, 5000
_REASONS, _TYPICAL_ROWS = 3, 20_000


def detection_report(
    detector: AnomalyDetector | TimeSeriesDetector,
    X: ArrayLike,  # noqa: N803
    *,
    ids: Sequence[Any] | None = None,
    times: ArrayLike | None = None,
    anomalous: ArrayLike | None = None,
    columns: Sequence[str] | None = None,
    baselines: bool | Mapping[str, ArrayLike] = True,
    title: str | None = None,
) -> DetectionReport:
    """Score samples with a detector and collect what explains the scores.

    Args:
        detector: a fitted `AnomalyDetector` or `TimeSeriesDetector`.
        X: samples, as for its ``anomaly_score``: an array, a data frame, images, or one series.
        ids: name of each row; None numbers them from 0.
        times: time of each row, as datetime64, ISO 8601 text or numbers; in UTC if it has a zone.
        anomalous: which rows are anomalies, if known: booleans, or 0 and 1.
        columns: names of the columns; None takes those of the frame or of the detector.
        baselines: whether to fit standard detectors to X for comparison, see
            `ae_multi.tasks.detect_baselines`; or a dict of name to their scores.
        title: title of the report.

    Returns:
        A `DetectionReport`.

    Raises:
        InputError: labels, times, names or baselines that do not fit X.
    """
    X = np.asarray(X) if isinstance(X, list | tuple) else X  # noqa: N806
    scores = np.asarray(detector.anomaly_score(X), np.float64)
    count, threshold = len(scores), -float(detector.offset_)
    has_images = len(detector.sample_shape_) > 1
    limits = (MAX_ALARMS, MAX_OTHERS)
    if has_images:
        limits = (report_images.max_thumbnails(detector.sample_shape_) // 2,) * 2
    unit = "images" if has_images else "rows"
    window = detector.window if isinstance(detector, TimeSeriesDetector) else None
    strangest = strangest_rows(scores, window or 1)
    points, thinning = select_points(scores, threshold, *limits, unit, strangest)
    if isinstance(detector, TimeSeriesDetector):
        scaled, codes = report_series.samples_and_codes(detector, X)
        components = max(detector.n_features_in_ // 4, 1)  # the code is one of a whole window
    else:
        scaled = detector._checked(X)
        codes = predict_float32(detector.network_.encoder, scaled).reshape(count, -1)
        components = codes.shape[1]
    if isinstance(baselines, bool):
        baselines = detect_baselines.scores(scaled, components) if baselines else {}
    map_points, map_axes = map_of_codes(codes, scores)
    alarms = scores > threshold
    contents = (
        _images(detector, scaled, points, strangest)
        if has_images and isinstance(detector, AnomalyDetector)
        else _columns(detector, X, columns, points, strangest, alarms)
    )
    return DetectionReport(
        title=title or f"Anomalies in {count:,} {unit}",
        facts=_facts(detector, has_images),
        scores=scores,
        threshold=threshold,
        ids=[str(name) for name in _each(ids, count, "ids")]
        if ids is not None
        else [str(number) for number in range(count)],
        points=points,
        thinning=thinning,
        map_points=map_points[points],
        map_axes=map_axes,
        strangest=strangest,
        times=None if times is None else _as_times(_each(times, count, "times")),
        anomalous=None if anomalous is None else _as_truth(_each(anomalous, count, "anomalous")),
        baselines={
            name: _each(values, count, f"baseline {name}").astype(np.float64)
            for name, values in baselines.items()
        },
        unit=unit,
        window=window,
        **contents,
    )


def _columns(
    detector: AnomalyDetector | TimeSeriesDetector,
    x: Any,
    columns: Sequence[str] | None,
    points: np.ndarray,
    strangest: np.ndarray,
    alarms: np.ndarray,
) -> dict[str, Any]:
    """Return the fields of a `DetectionReport` that describe the columns of a table."""
    if isinstance(detector, TimeSeriesDetector):
        errors = detector.column_errors(x)[points]
    else:
        errors = detector.column_errors(rows_of(x, points))
    if columns is None and getattr(detector, "preprocessor_", None) is not None:
        columns = [str(name) for name in detector.column_names_]
    names = column_names(detector, x, errors, columns)
    positive = np.maximum(np.asarray(errors, np.float64), 0)
    shares = positive / np.maximum(positive.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    values = values_of_columns(x, names)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :_REASONS]
    reasons = [
        "; ".join(f"{names[c]}: {shown_value(values[c][row])} ({percent(parts[c])})" for c in best)
        for row, best, parts in zip(points, order, shares, strict=True)
    ]
    normal = np.flatnonzero(~alarms) if not alarms.all() else np.arange(len(alarms))
    normal = normal[:: max(1, -(-len(normal) // _TYPICAL_ROWS))]
    where = np.searchsorted(points, strangest)
    is_alarm = alarms[points]
    return {
        "reasons": reasons,
        "columns": names,
        "contributions": positive[where],
        "values": [[shown_value(column[row]) for column in values] for row in strangest],
        "typical": [typical_values(column[normal]) for column in values],
        "column_shares": np.stack(
            [
                shares[rows].mean(axis=0) if rows.any() else np.zeros(len(names))
                for rows in (is_alarm, ~is_alarm)
            ]
        ),
    }


def _images(
    detector: AnomalyDetector, scaled: np.ndarray, points: np.ndarray, strangest: np.ndarray
) -> dict[str, Any]:
    """Return the fields of a `DetectionReport` that show images."""
    chosen = scaled[strangest]
    errors = np.concatenate(list(detector._errors(chosen)))
    bounds = report_images.value_range(scaled[points])
    shown = report_images.pngs(chosen, bounds)
    restored = report_images.pngs(detector._outputs(chosen), bounds)
    return {
        "thumbnails": report_images.pngs(scaled[points], bounds, report_images.THUMBNAIL),
        "pictures": list(zip(shown, restored, report_images.error_maps(errors), strict=True)),
    }


def _facts(detector: AnomalyDetector | TimeSeriesDetector, has_images: bool) -> dict[str, str]:
    """Return a dict of label to text: model, training data, training and threshold."""
    about = getattr(detector, "provenance_", None) or {}
    kind = detector.model if isinstance(detector.model, str) else type(detector.model).__name__
    codes = int(np.prod(detector.network_.encoder.output_shape[1:]))
    shape = " × ".join(map(str, detector.sample_shape_))
    content = f"images of {shape} pixels" if has_images else f"rows of {shape} values"
    criterion, trained_on = "mse", "held-out"
    if isinstance(detector, TimeSeriesDetector):
        content += f" in windows of {detector.window} rows"
    else:
        criterion, trained_on = detector.criterion_, "training"
    rule = detector.contamination
    if rule == "held_out":
        how = f"for {percent(detector.false_alarm_rate)} false alarms on held-out samples"
    elif rule == "auto":
        how = f"Tukey's fence of the scores of the {trained_on} samples"
    else:
        how = f"exceeded by {percent(rule)} of the training samples"
    versions = ", ".join(
        f"{name} {about[name]}" for name in ("ae_multi", "keras", "python") if name in about
    )
    facts = {
        "Model": f"{kind} autoencoder, codes of size {codes}, criterion {criterion}",
        "Trained on": f"{detector.n_samples_seen_:,} {content}, {detector.n_iter_:,} epochs",
        "Training": ", ".join(about[k] for k in ("date", "backend", "device") if k in about),
        "Versions": versions,
        "Threshold": f"{-detector.offset_:.4g}; {how}",
    }
    return {name: text for name, text in facts.items() if text}


def _each(values: Any, count: int, name: str) -> np.ndarray:
    """Return one value for each row.

    Raises:
        InputError: another number of values.
    """
    array = np.asarray(values)
    if array.shape != (count,):
        raise InputError(
            f"Expected {name} to have one value for each of the {count:,} samples. "
            f"Received: shape {array.shape}."
        )
    return array


def _as_truth(labels: np.ndarray) -> np.ndarray:
    if labels.dtype != bool and not np.isin(labels, (0, 1)).all():
        raise InputError(
            "Expected anomalous to be booleans, or 1 for anomalies and 0 for normal samples. "
            f"Received: values such as {labels[~np.isin(labels, (0, 1))][0]!r}."
        )
    return labels.astype(bool)


def _as_times(times: np.ndarray) -> np.ndarray:
    """Return times as datetime64 in milliseconds, in UTC if they have a zone, or as float64."""
    try:
        if times.dtype.kind in "iuf":
            return times.astype(np.float64)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "no explicit representation of timezones")
            return times.astype("datetime64[ms]")
    except (TypeError, ValueError) as error:
        raise InputError(
            "Expected times to be numbers, datetime64 or ISO 8601 text. "
            f"Received: {times[0]!r} ({error})."
        ) from error
