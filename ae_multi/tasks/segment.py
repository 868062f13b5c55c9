"""Segmentation of digits on clutter, compared with thresholds on brightness."""

import time

import numpy as np

from ae_multi.baselines import best_threshold, otsu
from ae_multi.data.clutter import clutter
from ae_multi.estimators import Segmenter
from ae_multi.metrics import iou
from ae_multi.tasks.result import Measure, Options, Result, about

_SHOWN = 10


def segment(options: Options) -> Result:
    """Segment the digit in each image of digits on clutter.

    Args:
        options: data and training.

    Returns:
        A `Result` with the intersection over union of the digit, over all pixels of test images.
    """
    data = options.load()
    x_train, m_train = clutter(data.x_train, options.seed, "train")
    x_test, m_test = clutter(data.x_test, options.seed, "test")
    segmenter = Segmenter(scale=None, **options.training())
    begin = time.perf_counter()
    segmenter.fit(x_train, m_train)
    seconds = time.perf_counter() - begin
    masks = {"segmentation network": segmenter.predict(x_test)}
    masks["Otsu's threshold"] = np.stack([x[..., 0] > otsu(x) for x in x_test])
    masks["the best threshold"] = x_test[..., 0] > best_threshold(x_train[..., 0], m_train)
    return Result(
        task="segment",
        title="Digits on clutter: segmentation of the digit",
        measures=(Measure("IoU", ".4f", higher=True),),
        rows={name: (iou(predicted, m_test),) for name, predicted in masks.items()},
        data=about(data),
        settings={"epochs": segmenter.n_iter_, "seed": options.seed},
        provenance=segmenter.provenance_,
        seconds=seconds,
        picture={
            "images": x_test[:_SHOWN],
            "truth": m_test[:_SHOWN],
            "masks": {name: predicted[:_SHOWN] for name, predicted in masks.items()},
        },
    )
