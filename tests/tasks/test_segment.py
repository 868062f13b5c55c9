"""The task segment."""

import numpy as np
import pytest

from ae_multi.data.clutter import clutter
from tests.reference.tasks import check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_segment_reports_iou_with_otsu(tmp_path, capsys, digits):
    from sklearn.metrics import jaccard_score

    from ae_multi.baselines import otsu

    text, found, picture = run_task(
        tmp_path, capsys, "segment", "--data", "digits", "--samples", 60, "--epochs", 25
    )
    check_picture(picture)
    scenes, masks = clutter(digits.x_test[:60], 0, "test")
    segmented = np.stack([scene[..., 0] > otsu(scene) for scene in scenes])
    expected = jaccard_score(masks.ravel(), segmented.ravel())
    assert found["results"]["Otsu's threshold"]["IoU"] == pytest.approx(expected, rel=1e-6)
    assert found["results"]["segmentation network"]["IoU"] > expected
    assert "Digits on clutter" in text
