"""Contents of a report on anomaly scores: plain arrays, computed with a fitted detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ae_multi.baselines import fit_pca
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector
from ae_multi.models.base import predict_float32
from ae_multi.tasks import detect_baselines, report_images
from ae_multi.tasks.report_columns import (
    Typical,
    as_text,
    column_names,
    columns_of,
    percent,
    rows_of,
    typical_values,
)

# Rows in the plots: those beyond the threshold, and those of the others. Each image is stored in
# the page, so fewer of them are drawn.
MAX_ALARMS, MAX_OTHERS = 5000, 5000
MAX_IMAGE_ALARMS, MAX_IMAGE_OTHERS = 1000, 1000
_STRANGEST, _REASONS, _TYPICAL_ROWS = 12, 3, 20_000


@dataclass(frozen=True)
class DetectionReport:
    r"""Anomaly scores of n rows or images, and what explains them.

    Attributes:
        title: title of the report.
        facts: dict of label to text: what was trained on what.
        scores: anomaly scores, float64 (n,).
        threshold: rows with a larger score are alarms.
        ids: name of each row, (n,).
        points: indices (p,) of the rows in the plots, in ascending order.
        thinning: sentence that says which rows the plots show.
        map_points: position of these rows in the map of codes, (p, 2).
        map_axes: labels of the two axes of the map.
        reasons: text (p,) with the columns of the largest contributions; empty for images.
        strangest: indices (k,) of the rows with the highest scores, the highest first.
        columns: names of the columns; empty for images.
        contributions: contribution of each column to the scores of the strangest rows,
            (k, columns).
        values: values of the strangest rows as text, k lists of one text a column.
        typical: a `Typical` for each column, from the rows that are not alarms.
        column_shares: mean share of each column in the scores, (2, columns): of the alarms in the
            plots, and of the other rows there.
        times: times (n,) as datetime64 or numbers; None to draw scores by row.
        anomalous: whether each row is an anomaly, booleans (n,); None if unknown.
        baselines: dict of name to scores (n,).
        thumbnails: PNG data URI of each point, (p,); empty for tables.
        pictures: for the strangest images, k tuples of PNG data URIs: the image, its
            reconstruction and its error map.
        unit: "rows" or "images".
    """

    title: str
    facts: Mapping[str, str]
    scores: np.ndarray
    threshold: float
    ids: Sequence[str]
    points: np.ndarray
    thinning: str
    map_points: np.ndarray
    map_axes: tuple[str, str]
    strangest: np.ndarray
    reasons: Sequence[str] = ()
    columns: Sequence[str] = ()
    contributions: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    values: Sequence[Sequence[str]] = ()
    typical: Sequence[Typical] = ()
    column_shares: np.ndarray = field(default_factory=lambda: np.zeros((2, 0)))
    times: np.ndarray | None = None
    anomalous: np.ndarray | None = None
    baselines: Mapping[str, np.ndarray] = field(default_factory=dict)
    thumbnails: Sequence[str] = ()
    pictures: Sequence[tuple[str, str, str]] = ()
    unit: str = "rows"

    @property
    def alarms(self) -> np.ndarray:
        """Whether each row is beyond the threshold: booleans (n,)."""
        return self.scores > self.threshold


def detection_report(
    detector: AnomalyDetector,
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
        detector: a fitted `AnomalyDetector`.
        X: samples, as for its ``anomaly_score``: an array, a data frame or images.
        ids: name of each row; None numbers them from 0.
        times: time of each row, as datetime64, ISO 8601 text or numbers.
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
    limits = (MAX_IMAGE_ALARMS, MAX_IMAGE_OTHERS) if has_images else (MAX_ALARMS, MAX_OTHERS)
    unit = "images" if has_images else "rows"
    points, thinning = select_points(scores, threshold, *limits, unit)
    strangest = np.argsort(-scores, kind="stable")[:_STRANGEST]
    scaled = detector._checked(X)
    codes = predict_float32(detector.network_.encoder, scaled).reshape(count, -1)
    if isinstance(baselines, bool):
        baselines = detect_baselines.scores(scaled, codes.shape[1]) if baselines else {}
    map_points, map_axes = _map(codes, scores)
    alarms = scores > threshold
    contents = (
        _images(detector, scaled, points, strangest)
        if has_images
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
        **contents,
    )


def select_points(
    scores: np.ndarray, threshold: float, max_alarms: int, max_others: int, unit: str = "rows"
) -> tuple[np.ndarray, str]:
    """Select the rows that the plots show: those beyond the threshold, and others evenly.

    Args:
        scores: scores (n,).
        threshold: threshold of the alarms.
        max_alarms: largest number of alarms, those with the highest scores.
        max_others: largest number of other rows. The row with the highest score is kept.
        unit: name of the rows.

    Returns:
        (indices in ascending order, a sentence that says which rows are selected).
    """
    is_alarm = scores > threshold
    alarms, others = np.flatnonzero(is_alarm), np.flatnonzero(~is_alarm)
    kept = alarms[np.argsort(-scores[alarms], kind="stable")[:max_alarms]]
    step = max(1, -(-len(others) // max_others))
    highest = np.argsort(-scores, kind="stable")[:_STRANGEST]
    points = np.union1d(np.union1d(kept, highest), others[::step])
    if len(points) == len(scores):
        return points, f"The plots show all {len(scores):,} {unit}."
    which = f"all {len(alarms):,}" if len(kept) == len(alarms) else f"the highest {len(kept):,}"
    every = f"every {_ordinal(step)} of the others" if step > 1 else "all others"
    return points, (
        f"The plots show {len(points):,} of {len(scores):,} {unit}: {which} beyond the fitted "
        f"threshold, and {every}."
    )


def _ordinal(number: int) -> str:
    if number == 2:
        return "other one"
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else suffix}"


def _columns(
    detector: AnomalyDetector,
    x: Any,
    columns: Sequence[str] | None,
    points: np.ndarray,
    strangest: np.ndarray,
    alarms: np.ndarray,
) -> dict[str, Any]:
    """Return the fields of a `DetectionReport` that describe the columns of a table."""
    errors = getattr(detector, "column_errors", detector.feature_errors)(rows_of(x, points))
    names = column_names(detector, x, errors, columns)
    positive = np.maximum(np.asarray(errors, np.float64), 0)
    shares = positive / np.maximum(positive.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    values = columns_of(x, names)
    order = np.argsort(-shares, axis=1, kind="stable")[:, :_REASONS]
    reasons = [
        "; ".join(f"{names[c]}: {as_text(values[c][row])} ({percent(parts[c])})" for c in best)
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
        "values": [[as_text(column[row]) for column in values] for row in strangest],
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


def _map(codes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, tuple[str, str]]:
    """Return (positions (n, 2), labels of the axes) of the map of codes."""
    if codes.shape[1] == 1:
        return np.column_stack([codes[:, 0], scores]), ("code", "score")
    if codes.shape[1] == 2:
        return codes.astype(np.float64), ("code 1", "code 2")
    pca = fit_pca(codes, 2)
    first, second = pca.explained_variance_ratio_
    labels = (
        f"first principal component of the codes ({percent(first)} of the variance)",
        f"second ({percent(second)})",
    )
    return pca.transform(codes).astype(np.float64), labels


def _facts(detector: AnomalyDetector, has_images: bool) -> dict[str, str]:
    """Return a dict of label to text: model, training data, training and threshold."""
    about = getattr(detector, "provenance_", None) or {}
    kind = detector.model if isinstance(detector.model, str) else type(detector.model).__name__
    codes = int(np.prod(detector.network_.encoder.output_shape[1:]))
    shape = " × ".join(map(str, detector.sample_shape_))
    content = f"images of {shape} pixels" if has_images else f"rows of {shape} values"
    rule = detector.contamination
    if rule == "held_out":
        how = f"for {percent(detector.false_alarm_rate)} false alarms on held-out samples"
    elif rule == "auto":
        how = "Tukey's fence of the scores of the training samples"
    else:
        how = f"exceeded by {percent(rule)} of the training samples"
    versions = ", ".join(
        f"{name} {about[name]}" for name in ("ae_multi", "keras", "python") if name in about
    )
    facts = {
        "Model": f"{kind} autoencoder, codes of {codes} numbers, criterion {detector.criterion}",
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
    """Return times as datetime64 in milliseconds, or numbers as float64."""
    try:
        if times.dtype.kind in "iuf":
            return times.astype(np.float64)
        return times.astype("datetime64[ms]")
    except (TypeError, ValueError) as error:
        raise InputError(
            "Expected times to be numbers, datetime64 or ISO 8601 text. "
            f"Received: {times[0]!r} ({error})."
        ) from error
