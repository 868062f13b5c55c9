"""Tables, figures, JSON and progress."""

import io
import json
import math

import numpy as np
import pytest
from rich.console import Console

from ae_multi.compare import CompareConfig, Comparison
from ae_multi.compare.agreement import agreement
from ae_multi.report.figures import draw_comparison
from ae_multi.report.json_file import write_json
from ae_multi.report.progress import BackendProgress
from ae_multi.report.tables import print_comparison


def result(model, backend, **changes):
    return {
        "model": model,
        "class": f"{model.title()}Autoencoder",
        "backend": backend,
        "plan": {"torch": "graph", "jax": "scan"}[backend],
        "device": "cpu (2 threads)",
        "versions": {backend: "1.2.3+cpu"},
        "code_size": 9,
        "parameters": 224601,
        "epochs": 2,
        "initial_weights_sha256": "ab",
        "first_losses": [0.5, 0.4],
        "epoch_losses": [0.06, 0.04],
        "train_mse": 0.021,
        "test_mse": 0.022,
        "pca_mse": 0.0345,
        "psnr_db": 17.4,
        "seconds": 12.3,
        "samples_per_second": 98765.4,
        "perturbed_test_mse": [0.0221, 0.0219] if backend == "jax" else [],
        "notes": [],
        **changes,
    }


@pytest.fixture
def comparison():
    images = np.random.default_rng(0).random((10, 28, 28, 1), np.float32)
    models, backends = ("simple", "deep"), ("torch", "jax")
    results = [result(model, backend) for model in models for backend in backends]
    return Comparison(
        data={
            "name": "digits",
            "source": "a test",
            "train_images": 1437,
            "test_images": 360,
            "mean_image_mse": 0.0675,
        },
        settings=CompareConfig(),
        results=results,
        agreement={m: agreement([r for r in results if r["model"] == m]) for m in models},
        left_out=("tensorflow",),
        pictures={
            (model, backend): {"originals": images, "reconstructions": images**2}
            for model in models
            for backend in backends
        },
    )


def printed(comparison, width=132):
    console = Console(file=io.StringIO(), width=width)
    print_comparison(console, comparison)
    return console.file.getvalue()


def test_the_tables_say_everything(comparison):
    text = printed(comparison)
    for word in (
        *(
            "simple",
            "deep",
            "torch 1.2.3",
            "jax 1.2.3",
            " graph ",
            " scan ",
            "cpu (2 threads)",
            "224,601",
        ),
        *("0.02100", "0.02200", "17.40", "0.03450", "12.3", "98,765", "0.06750"),
        *("1,437 training", "digits", "Left out: tensorflow, which is not installed"),
        *("identical", "0.0e+00 ≤ 2e-06 (2 steps)", "(2 runs, jax)", "AGREE"),
    ):
        assert word in text
    assert "DIFFER" not in text


def test_a_wide_table_folds_nothing(comparison):
    lines = printed(comparison).splitlines()
    assert sum("cpu (2 threads)" in line for line in lines) == 4


def test_what_parts_and_what_is_poor_is_called_so(comparison):
    comparison.agreement["deep"].update(verdict="differ", reasons=["the initial weights differ"])
    comparison.results[0]["notes"] = ["worse than PCA with 9 components"]
    text = printed(comparison)
    assert "DIFFER" in text
    assert "deep differs: the initial weights differ." in text
    assert "simple on torch: worse than PCA with 9 components." in text
    assert not comparison.agree


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_figure_is_written(comparison, tmp_path, suffix):
    path = tmp_path / f"figure.{suffix}"
    draw_comparison(comparison, path)
    head = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(head)
    assert list(tmp_path.iterdir()) == [path]


def test_the_figure_shows_images_and_curves(comparison, tmp_path, monkeypatch):
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


def test_json_is_strict_and_whole(tmp_path):
    path = tmp_path / "out.json"
    write_json(path, {"a": math.nan, "b": [1.5, math.inf], "c": (1, "x")})
    assert json.loads(path.read_text()) == {"a": None, "b": [1.5, None], "c": [1, "x"]}


def test_a_log_gets_a_line_for_each_result():
    console = Console(file=io.StringIO(), width=100)
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "progress", "done": 1, "total": 2, "label": "deep"})
        progress.on_event("jax", {"event": "result", **result("deep", "jax")})
    assert console.file.getvalue().splitlines() == ["jax: deep trained in 12 s, test MSE 0.02200"]


def test_notes_of_a_backend_are_shown():
    console = Console(file=io.StringIO(), width=40)
    with BackendProgress(console) as progress:
        progress.on_event("jax", {"event": "note", "message": "MNIST is not to be had " * 3})
    assert len(console.file.getvalue().splitlines()) == 1


def test_a_terminal_gets_a_bar_for_each_backend():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with BackendProgress(console) as progress:
        for backend in ("torch", "jax"):
            progress.on_event(backend, {"event": "progress", "done": 1, "total": 4, "label": "x"})
    assert "torch" in console.file.getvalue()
    assert "1/4" in console.file.getvalue()


@pytest.mark.parametrize(
    ("mse", "note"),
    [
        (0.02, None),
        (0.04, "worse than PCA with 9 components"),
        (0.07, "no better than predicting the mean image"),
        (math.nan, "the training diverged, its error is not finite"),
    ],
)
def test_what_a_result_is_called(mse, note):
    from ae_multi.compare.run import _notes

    found = _notes(result("deep", "jax", test_mse=mse), {"mean_image_mse": 0.0675})
    assert found == ([note] if note else [])
