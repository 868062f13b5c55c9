"""Running a task as its command does, and looking at what comes out."""

import json

import matplotlib.image

from ae_multi.cli import main

# A few of the images that are always there.
QUICK = ("--data", "digits", "--samples", "200")


def run_task(tmp_path, capsys, *arguments):
    """(what was printed, the JSON, the picture) of a task."""
    out, figure = tmp_path / "out.json", tmp_path / "out.png"
    assert main([*map(str, arguments), "--json", str(out), "--figure", str(figure)]) == 0
    return capsys.readouterr().out, json.loads(out.read_text()), matplotlib.image.imread(figure)


def check_picture(picture):
    """Not blank, and not drawn over its edge."""
    grey = picture[..., :3].mean(axis=-1)
    assert min(grey.shape) > 500
    assert 0.3 < grey.mean() < 0.99
    assert (grey < 0.5).mean() > 0.005
    assert (grey[:, 0] == 1).all()
    assert (grey[:, -1] == 1).all()
