"""Tables of a report on anomaly scores: other thresholds, columns, and baselines."""

from __future__ import annotations

import numpy as np

from ae_multi.report.html import Html, element, number_cell, table
from ae_multi.tasks.report_columns import percent
from ae_multi.tasks.report_contents import DetectionReport

_SHARES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_MAX_COLUMNS = 100
_TOP = 0.01


def number(value: float) -> str:
    """Format a score."""
    return f"{value:.4g}"


def cost(scores: np.ndarray, truth: np.ndarray | None, threshold: float) -> dict[str, float]:
    """Return what a threshold gives.

    Args:
        scores: scores (n,).
        truth: whether each row is an anomaly, or None.
        threshold: rows with a larger score are alarms.

    Returns:
        Dict with the number of "alarms"; with labels also the number of "false" ones, "precision"
        (NaN without alarms) and "recall" (NaN without anomalies).
    """
    is_alarm = scores > threshold
    alarms = int(is_alarm.sum())
    if truth is None:
        return {"alarms": alarms}
    found, anomalies = int((is_alarm & truth).sum()), int(truth.sum())
    return {
        "alarms": alarms,
        "false": alarms - found,
        "precision": found / alarms if alarms else np.nan,
        "recall": found / anomalies if anomalies else np.nan,
    }


def costs(report: DetectionReport) -> Html:
    """Return the table of what other thresholds would give."""
    scores, truth = report.scores, report.anomalous
    descending = np.sort(scores)[::-1]
    rows = []
    for share in (None, *_SHARES):
        if share is None:
            threshold, name = report.threshold, "as fitted"
        else:
            alarms = round(share * len(scores))
            if not 1 <= alarms < len(scores):
                continue
            # The largest score that is not an alarm.
            threshold, name = float(descending[alarms]), f"highest {percent(share)}"
        found = cost(scores, truth, threshold)
        cells = [
            name,
            number_cell(threshold, number, threshold=threshold),
            number_cell(found["alarms"], "{:,.0f}".format, alarms=found["alarms"]),
            element("td", percent(found["alarms"] / len(scores)), class_="number"),
        ]
        if truth is not None:
            cells.append(number_cell(found["false"], "{:,.0f}".format, false=found["false"]))
            cells += [
                number_cell(found[key], _share, **{key: found[key]})
                for key in ("precision", "recall")
            ]
        rows.append(cells)
    headers = ["rule", "threshold", "alarms", f"share of all {report.unit}"]
    if truth is not None:
        headers += ["false alarms", "precision", "recall"]
    return table("What other thresholds would give", headers, rows, range(1, len(headers)))


def contributions(report: DetectionReport, place: int, name: str, most: int) -> Html:
    """Return the table of the columns that contribute most to the score of a strange row.

    Args:
        report: the report.
        place: index of the row among ``report.strangest``.
        name: name of the row.
        most: largest number of columns.
    """
    parts = report.contributions[place]
    total = parts.sum() or 1.0
    rows = []
    for column in np.argsort(-parts, kind="stable")[:most]:
        share, typical = parts[column] / total, report.typical[column]
        value = report.values[place][column]
        rows.append(
            (
                element("bdi", report.columns[column]),
                element("td", _arrow(value, typical.low, typical.high) + value, class_="number"),
                element(
                    "td",
                    typical.middle,
                    element("small", typical.interval, class_="soft"),
                    class_="number",
                ),
                element(
                    "td",
                    percent(share),
                    element("span", class_="bar", style=f"--share: {share:.3f}"),
                    class_="number share",
                    data_column=report.columns[column],
                    data_share=repr(float(share)),
                ),
            )
        )
    headers = ("column", "value", "typical", "share")
    return table(f"Columns of {name}", headers, rows, range(1, 4))


def columns(report: DetectionReport) -> Html:
    """Return the table of typical values, and of the mean share of each column in the scores."""
    alarm, other = report.column_shares
    order = np.argsort(-alarm if alarm.any() else -other, kind="stable")
    rows = [
        (
            element("bdi", report.columns[column]),
            report.typical[column].middle,
            report.typical[column].interval,
            percent(alarm[column]),
            percent(other[column]),
        )
        for column in order[:_MAX_COLUMNS]
    ]
    shown = f", the first {_MAX_COLUMNS} of {len(order)}" * (len(order) > _MAX_COLUMNS)
    caption = f"Columns by their mean share in the scores of alarms{shown}"
    headers = ("column", "typical", "5–95 %", "share, alarms", f"share, other {report.unit}")
    return table(caption, headers, rows, range(1, 5))


def measures(report: DetectionReport) -> dict[str, dict[str, float]]:
    """Return measures of the detector and of each baseline.

    Returns:
        Dict of name to a dict with "AUROC" and "average precision" if labels of both kinds are
        known, and for baselines "rank correlation" with the detector's scores (Spearman) and
        "overlap", the share that the highest 1 % of both have in common.
    """
    from scipy.stats import spearmanr
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, found = report.anomalous, {}
    for name, scores in {"autoencoder": report.scores, **report.baselines}.items():
        values: dict[str, float] = {}
        if truth is not None and 0 < truth.sum() < len(truth):
            values["AUROC"] = float(roc_auc_score(truth, scores))
            values["average precision"] = float(average_precision_score(truth, scores))
        if name != "autoencoder":
            is_constant = np.ptp(scores) == 0 or np.ptp(report.scores) == 0
            correlation = np.nan if is_constant else spearmanr(scores, report.scores).statistic
            values["rank correlation"] = float(correlation)
            values["overlap"] = overlap(scores, report.scores)
        found[name] = values
    return found


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return the share that the highest 1 % of two arrays of scores (n,) have in common."""
    count = max(1, round(_TOP * len(one)))
    first, second = (np.argsort(-scores, kind="stable")[:count] for scores in (one, other))
    return len(np.intersect1d(first, second)) / count


def baselines(report: DetectionReport) -> Html:
    """Return the table of the detector and its baselines."""
    found = measures(report)
    keys = list(dict.fromkeys(key for values in found.values() for key in values))
    names = {"rank correlation": "rank correlation", "overlap": "highest 1 % in common"}
    rows = [
        (
            name,
            *(
                number_cell(
                    values[key],
                    _share if key == "overlap" else "{:.3f}".format,
                    method=name,
                    measure=key,
                    exact=values[key],
                )
                if key in values
                else element("td", "–", class_="number")
                for key in keys
            ),
        )
        for name, values in found.items()
    ]
    headers = ("detector", *(names.get(key, key) for key in keys))
    caption = "The autoencoder and standard detectors"
    return table(caption, headers, rows, range(1, len(headers)))


def better_baselines(report: DetectionReport) -> list[str]:
    """Return the names of baselines whose AUROC or average precision is higher."""
    found = measures(report)
    ours = found.pop("autoencoder")
    return [
        name
        for name, values in found.items()
        if any(values[key] > ours[key] for key in ("AUROC", "average precision") if key in values)
    ]


def _share(value: float) -> str:
    return "–" if np.isnan(value) else percent(value)


def _arrow(value: str, low: str, high: str) -> str:
    """Return an arrow for a number beyond an interval, or an empty string."""
    try:
        if float(value) > float(high):
            return "↑\N{NO-BREAK SPACE}"
        return "↓\N{NO-BREAK SPACE}" if float(value) < float(low) else ""
    except ValueError:
        return ""
