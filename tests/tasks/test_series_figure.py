"""Figure of anomalies in a time series."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ae_multi.tasks import series_figure

pytestmark = [pytest.mark.backend, pytest.mark.once]


@pytest.fixture
def figures(monkeypatch):
    """Return the list of the figures that are drawn."""
    drawn = []

    def figure(**kwargs):
        drawn.append(Figure(**kwargs))
        return drawn[-1]

    monkeypatch.setattr(series_figure, "Figure", figure)
    return drawn


def detector_of(errors, **attributes):
    """Return a detector with given errors, a window of 8 and the threshold 2."""
    return SimpleNamespace(
        feature_errors=lambda series: errors, window=8, offset_=-2.0, **attributes
    )


def test_intervals_are_shaded_in_the_panels_of_their_sensors(figures, tmp_path):
    errors = np.ones((100, 3))
    errors[20:30, 1], errors[60, 2] = 50, 40
    names = np.array(["load", "$flow_1$", "speed"], object)
    detector = detector_of(errors, feature_names_in_=names)
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=names)
    times = pd.date_range("2026-01-01", periods=100, freq="h")
    series_figure.draw_series(detector, frame, tmp_path / "series.png", times=times)
    assert (tmp_path / "series.png").read_bytes().startswith(b"\x89PNG")
    (figure,) = figures
    assert figure.get_suptitle() == "2 anomalous intervals in 100 timestamps"
    assert [len(axes.patches) for axes in figure.axes] == [0, 1, 1, 2]
    (scores,) = (line for line in figure.axes[-1].lines if len(line.get_ydata()) == 100)
    np.testing.assert_array_equal(scores.get_ydata(), errors.mean(axis=1))
    np.testing.assert_array_equal(figure.axes[1].lines[0].get_ydata(), frame["$flow_1$"])


def test_sensors_with_the_largest_errors_are_drawn_and_peaks_of_long_series_remain(
    figures, tmp_path
):
    errors = np.ones((50_001, 14))
    errors[7, 2:] = 1.5
    values = np.random.default_rng(0).normal(size=errors.shape)
    values[31_234, 5] = 100
    series_figure.draw_series(detector_of(errors), values, tmp_path / "series.png")
    (figure,) = figures
    assert "0 anomalous intervals in 50,001" in figure.get_suptitle()
    assert "2 sensors with smaller errors are not drawn" in figure.get_suptitle()
    assert [axes.get_ylabel() for axes in figure.axes[:-1]] == [f"sensor {i}" for i in range(2, 14)]
    drawn = figure.axes[3].lines[0].get_ydata()
    assert len(drawn) == 4000
    assert drawn.max() == 100
    assert drawn.min() == values[:, 5].min()
