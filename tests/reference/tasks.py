"""Run tasks with their commands, and check their figures."""

import json

import matplotlib.image

from ae_multi.cli import main

# A few of the bundled images.
QUICK = ("--data", "digits", "--samples", "200")


def run_task(tmp_path, capsys, *arguments):
    """Run a task; return the printed text, the JSON and the figure."""
    out, figure = tmp_path / "out.json", tmp_path / "out.png"
    assert main([*map(str, arguments), "--json", str(out), "--figure", str(figure)]) == 0
    return capsys.readouterr().out, json.loads(out.read_text()), matplotlib.image.imread(figure)


def check_picture(picture):
    """Assert that the figure is not blank and that its left and right margins are white."""
    grey = picture[..., :3].mean(axis=-1)
    assert min(grey.shape) > 500
    assert 0.3 < grey.mean() < 0.99
    assert (grey < 0.5).mean() > 0.005
    assert (grey[:, 0] == 1).all()
    assert (grey[:, -1] == 1).all()
