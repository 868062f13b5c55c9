"""Anomaly detection in a folder of images: training, scores and report."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from ae_multi.data.open_source import ImageFiles, source
from ae_multi.errors import InputError
from ae_multi.estimators import AnomalyDetector, load_estimator
from ae_multi.tasks.detect_score import RowScores
from ae_multi.tasks.detect_training import MEASURES, describe_threshold, threshold_parameters
from ae_multi.tasks.result import Options, Result

# Images that are scored at once.
_IMAGES_AT_ONCE = 1000


def open_images(
    folder: os.PathLike[str] | str, detector: AnomalyDetector | None = None
) -> ImageFiles:
    """Return the images of a folder, in the order of their names.

    Args:
        folder: the folder.
        detector: detector of images of the same size, or None.

    Raises:
        InputError: a folder without images, or images of another size.
    """
    opened = source(folder)
    if not isinstance(opened, ImageFiles):
        raise InputError(
            f"Expected images in the folder {folder}, such as .png or .jpg files. "
            f"Received: {opened.files[0].name}."
        )
    if detector is not None and opened.shape[1:] != detector.sample_shape_:
        raise InputError(
            f"Expected images of shape {detector.sample_shape_}, as in training. "
            f"Received: {opened.shape[1:]}, of {opened.files[0]}."
        )
    return opened


def fit_images(
    images: ImageFiles, options: Options, *, false_alarm_rate: float | None = None
) -> tuple[AnomalyDetector, Result]:
    """Train an `AnomalyDetector` on images of one size, most of which are normal.

    Args:
        images: from `open_images`; all are held in memory.
        options: ``epochs``, ``seed`` and ``verbose``; the others are not used.
        false_alarm_rate: rate for which the threshold is set on held-out images; None for Tukey's
            fence of the training scores.

    Returns:
        (detector, `Result` without rows).

    Raises:
        InputError: too few images for the rate, images of different sizes, or a file that cannot
            be read.
    """
    detector = AnomalyDetector(
        **threshold_parameters(false_alarm_rate, len(images), "images"), **options.training()
    )
    begin = time.perf_counter()
    detector.fit(images[:])
    seconds = time.perf_counter() - begin
    held_out = f"{detector.reference_count_:,} held-out images"
    shape = " × ".join(map(str, images.shape[1:3]))
    colours = "grey" if images.shape[3] == 1 else "RGB"
    result = Result(
        task="detect fit",
        title=f"Anomaly detector of the images in {images.name}",
        measures=MEASURES,
        rows={},
        data={
            "name": images.name,
            "source": f"{colours}, {shape} pixels",
            "train_images": len(images),
        },
        settings={
            "false_alarm_rate": false_alarm_rate,
            "threshold": -detector.offset_,
            "epochs": detector.n_iter_,
            "seed": options.seed,
        },
        provenance=detector.provenance_,
        seconds=seconds,
        notes=(describe_threshold(detector, false_alarm_rate, "the training images", held_out),),
    )
    return detector, result


def load_image_detector(path: os.PathLike[str] | str) -> AnomalyDetector:
    """Return the detector of a file that ``ae-multi detect fit`` has written for images.

    Raises:
        InputError: another file, also a detector of images whose pixels are not from 0 to 255.
    """
    detector = load_estimator(path)
    if not isinstance(detector, AnomalyDetector) or len(detector.sample_shape_) != 3:
        kind = type(detector).__name__
        raise InputError(
            "Expected a detector of images, as from `ae-multi detect fit` with a folder. "
            f"Received: {path}, which holds {kind} of other data."
        )
    # Images that Python has scaled to [0, 1] would have other scores here.
    if detector.input_span_ is None or detector.input_offset_ + detector.input_span_ <= 1:
        raise InputError(
            "Expected a detector of images with pixels from 0 to 255. "
            f"Received: {path}, which was trained on values of at most 1."
        )
    return detector


def scored_images(detector: AnomalyDetector, images: ImageFiles) -> Iterator[RowScores]:
    """Yield the scores of images, some at a time.

    Args:
        detector: from `load_image_detector`.
        images: from `open_images`.

    Raises:
        InputError: images of different sizes, or a file that cannot be read.
    """
    for first in range(0, len(images), _IMAGES_AT_ONCE):
        rows = slice(first, first + _IMAGES_AT_ONCE)
        scores = detector.anomaly_score(images[rows])
        yield RowScores(
            id_name="file",
            ids=file_names(images)[rows],
            scores=scores,
            probabilities=detector.probabilities_of(scores)[:, 1],
            is_anomaly=scores > -detector.offset_,
        )


def file_names(images: ImageFiles) -> list[str]:
    """Return the name of the file of each image."""
    return [Path(path).name for path in images.files]
