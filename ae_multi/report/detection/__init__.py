"""HTML report on the anomaly scores of a table or of images."""

from __future__ import annotations

import os
from importlib import resources
from typing import Any

from numpy.typing import ArrayLike

from ae_multi.estimators import AnomalyDetector, TimeSeriesDetector
from ae_multi.report.bokeh_plots import bokeh_script, check_bokeh
from ae_multi.report.detection.plots import plots
from ae_multi.report.detection.sections import sections
from ae_multi.report.html import Html, data_block, page, write_page
from ae_multi.tasks.detect_report import detection_report
from ae_multi.tasks.report_contents import DetectionReport

__all__ = ["DetectionReport", "report_page", "write_detection_report", "write_report"]


def write_detection_report(
    detector: AnomalyDetector | TimeSeriesDetector,
    X: ArrayLike,  # noqa: N803
    path: os.PathLike[str] | str,
    **options: Any,
) -> DetectionReport:
    """Score samples and write a report on the scores as one self-contained HTML file, atomically.

    Args:
        detector: a fitted `AnomalyDetector` or `TimeSeriesDetector`.
        X: samples: an array, a data frame, images, or one series.
        path: file to write.
        **options: ``ids``, ``times``, ``anomalous``, ``columns``, ``baselines`` and ``title``, see
            `ae_multi.tasks.detect_report.detection_report`.

    Returns:
        The contents of the report.

    Raises:
        InputError: Bokeh is not installed, or options that do not fit X.
    """
    check_bokeh()
    report = detection_report(detector, X, **options)
    write_report(path, report)
    return report


def write_report(path: os.PathLike[str] | str, report: DetectionReport) -> None:
    """Write a `DetectionReport` as one self-contained HTML file, atomically.

    Raises:
        InputError: Bokeh is not installed.
    """
    write_page(path, report_page(report))


def report_page(report: DetectionReport) -> Html:
    """Return a `DetectionReport` as one HTML document."""
    check_bokeh()
    folder = resources.files(__package__)
    return page(
        report.title,
        *sections(report),
        data_block("report-data", plots(report)),
        scripts=[bokeh_script(), (folder / "page.js").read_text("utf-8")],
        style=(folder / "page.css").read_text("utf-8"),
    )
