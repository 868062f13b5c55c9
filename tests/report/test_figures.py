"""Figures of a comparison."""

import numpy as np
import pytest

from ae_multi.report.figures import draw_comparison


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_figure_has_the_format_of_its_suffix(comparison, tmp_path, suffix):
    path = tmp_path / f"figure.{suffix}"
    draw_comparison(comparison, path)
    signature = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(signature)
    assert list(tmp_path.iterdir()) == [path]


def test_figure_contains_images_and_curves(comparison, tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn = []
    monkeypatch.setattr(
        Figure, "savefig", lambda self, path, **kw: drawn.append(self) or path.touch()
    )
    draw_comparison(comparison, tmp_path / "figure.png")
    images, curves = drawn[0].subfigs[1].axes
    sheet = images.images[0].get_array()
    assert sheet.shape == (3 * 30, 10 * 30)
    np.testing.assert_array_equal(
        sheet[30:58, :28], comparison.pictures["deep", "torch"]["reconstructions"][0, ..., 0]
    )
    labels = [line.get_label() for line in curves.lines[:2]]
    assert labels == ["torch", "jax"]
    np.testing.assert_array_equal(curves.lines[0].get_ydata(), [0.06, 0.04])
