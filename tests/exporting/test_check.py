"""Differences between the outputs of a model and of its exported file."""

import dataclasses

import numpy as np
import pytest

import ae_multi
from ae_multi.errors import ExportError
from ae_multi.estimators.graph import graph_of
from ae_multi.exporting.check import difference

pytestmark = pytest.mark.backend


@pytest.fixture(scope="module")
def detector(digits):
    return ae_multi.AnomalyDetector("simple", epochs=1).fit(digits.x_train[:60])


def test_scores_may_differ_by_rounding_of_reconstructions(digits):
    x = digits.x_test[:50]
    detector = ae_multi.AnomalyDetector("simple", criterion="mse", epochs=1).fit(x)
    graph = graph_of(detector, "model")
    expected = {"reconstruction": x, "score": np.full(50, 1e-8), "label": np.ones(50, int)}
    # Reconstructions differ by 1e-6 where their errors are 1e-4.
    rounded = {**expected, "score": np.full(50, (1e-4 + 1e-6) ** 2)}
    assert difference(graph, [expected], [rounded]) == pytest.approx(0.02, rel=0.01)
    with pytest.raises(ExportError, match="score within 1e-05"):
        difference(graph, [expected], [{**expected, "score": np.full(50, (1e-4 + 3e-5) ** 2)}])


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"score": np.array([0.5, np.nan, 2], np.float32)}, "score within 1e-05"),
        ({"score": np.array([0.5, 1.0001, 2], np.float32)}, "a difference of 5.0e-05 .3 samples"),
        ({"score": np.array([[0.5], [1], [2]], np.float32)}, "score of shape .3,."),
        ({"scores": np.zeros(3)}, "outputs label, score. Received: label, score, scores"),
        (
            {"label": np.array([1, 1, -1])},
            "the same label as the model. Received: 2 values that differ",
        ),
    ],
)
def test_other_differences_are_errors(fault, message, detector):
    graph = graph_of(detector, "model")
    graph = dataclasses.replace(graph, sizes=lambda expected: {}, decided=lambda *of: {})
    expected = {"score": np.array([0.5, 1, 2], np.float32), "label": np.array([1, -1, 1])}
    assert difference(graph, [expected], [expected]) == 0
    with pytest.raises(ExportError, match=message):
        difference(graph, [expected], [{**expected, **fault}])


def test_labels_at_the_threshold_may_differ(detector, digits):
    score = np.array([-detector.offset_, -detector.offset_ * 1.001, 3 * -detector.offset_])
    near = {"score": score, "reconstruction": digits.x_test[:3]}
    decided = graph_of(detector, "model").decided(near, 1e-5)["label"]
    np.testing.assert_array_equal(decided, [False, True, True])
