"""``ae-multi detect fit``, ``score`` and ``report`` with folders of images."""

import csv

import numpy as np
import pytest
from PIL import Image

import ae_multi
from ae_multi.tasks import detect_images

pytestmark = [pytest.mark.backend, pytest.mark.once]


def write_images(folder, images, suffix=".png"):
    """Write images in [0, 1] as files; return the folder."""
    folder.mkdir()
    for number, image in enumerate(images):
        levels = np.round(255 * np.squeeze(image)).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"{number:03d}{suffix}")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory, digits):
    """Return a folder with images to fit and to score, and a saved detector."""
    from ae_multi.cli import main

    folder = tmp_path_factory.mktemp("images")
    write_images(folder / "fit", digits.x_train[digits.y_train == 0][:80])
    write_images(folder / "new", digits.x_test[:30])
    arguments = ["detect", "fit", folder / "fit", "--out", folder / "parts.ae", "--epochs", 20,
                 "--false-alarm-rate", 0.1]  # fmt: skip
    assert main([*map(str, arguments)]) == 0
    return folder


def test_scores_are_those_of_the_detector(folder, digits, run_here, tmp_path, monkeypatch):
    monkeypatch.setattr(detect_images, "_IMAGES_AT_ONCE", 7)
    out = tmp_path / "scores.csv"
    done = run_here("detect", "score", folder / "new", "--model", folder / "parts.ae", "--out", out)
    assert done.returncode == 0, done.stderr
    with open(out, newline="") as file:
        rows = [*csv.DictReader(file)]
    assert [*rows[0]] == ["file", "score", "probability", "label"]
    assert [row["file"] for row in rows] == [f"{number:03d}.png" for number in range(30)]
    detector = ae_multi.load_estimator(folder / "parts.ae")
    assert (detector.criterion_, detector.reference_) == ("manifold", "held_out")
    images = np.round(255 * digits.x_test[:30])
    scores = np.array([row["score"] for row in rows], float)
    np.testing.assert_allclose(scores, detector.anomaly_score(images), rtol=1e-5)
    probabilities = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(probabilities, detector.predict_proba(images)[:, 1], atol=1e-6)
    labels = [{"normal": 1, "anomalous": -1}[row["label"]] for row in rows]
    np.testing.assert_array_equal(labels, detector.predict(images))
    alarms = labels.count(-1)
    assert f"Scored 30 images, {alarms} of which are anomalous" in done.stdout
    assert "The 30 new samples differ from the held-out samples" in done.stdout


def test_jpeg_and_colour_images_are_read(run_here, tmp_path):
    rng = np.random.default_rng(0)
    images = np.repeat(np.repeat(rng.random((12, 4, 4, 3)), 4, axis=1), 4, axis=2)
    images = write_images(tmp_path / "colour", images, ".jpeg")
    done = run_here("detect", "fit", images, "--out", tmp_path / "a.ae", "--epochs", 1)
    assert done.returncode == 0, done.stderr
    assert "Data: colour, 12 training images (RGB, 16 × 16 pixels)." in done.stdout
    assert ae_multi.load_estimator(tmp_path / "a.ae").sample_shape_ == (16, 16, 3)


def test_report_names_the_files(folder, run_here, tmp_path):
    page = tmp_path / "report.html"
    arguments = ["--model", folder / "parts.ae", "--out", page]
    done = run_here("detect", "report", folder / "new", *arguments)
    assert done.returncode == 0, done.stderr
    assert "30 images, " in done.stdout
    text = page.read_text()
    assert "Anomalies in 30 images of new" in text
    assert "Image 0" in text
    assert ".png<" in text


def test_usage_errors_say_what_is_expected(folder, run_here, tmp_path, digits):
    small = write_images(tmp_path / "small", digits.x_test[:3, ::2, ::2])
    mixed = write_images(tmp_path / "mixed", digits.x_test[:3])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(mixed / "zz.png")
    (tmp_path / "none").mkdir()
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    scaled = ae_multi.AnomalyDetector("simple", epochs=1).fit(digits.x_train[:40])
    scaled.save(tmp_path / "scaled.ae")
    model, out = ["--model", folder / "parts.ae"], ["--out", tmp_path / "x"]
    for arguments, message in (
        (["fit", folder / "fit", "--label", "a"], "a table in a file with --label. Received: "),
        (["fit", folder / "fit", "--window", 8], "a table in a file with --window"),
        (["fit", folder / "fit", "--false-alarm-rate", 0.01], "198 normal images for training"),
        (["fit", tmp_path / "none"], "images in "),
        (["fit", mixed], "zz.png to be an image of shape (28, 28, 1)"),
        (
            ["score", small, *model],
            "images of shape (28, 28, 1), as in training. Received: (14, 14, 1)",
        ),
        (["score", folder / "new", "--intervals", tmp_path / "i", *model], "with --intervals"),
        (["score", tmp_path / "table.csv", *model], "AnomalyDetector of images; pass it a folder"),
        (["score", small, "--model", tmp_path / "scaled.ae"], "pixels from 0 to 255"),
        (["report", folder / "new", "--id", "a", *model], "a table in a file with --id"),
    ):
        done = run_here("detect", *arguments, *out)
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]
        assert not (tmp_path / "x").exists()


def test_folders_of_arrays_are_refused(run_here, tmp_path):
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays" / "a.npy", np.zeros((3, 4, 4)))
    done = run_here("detect", "fit", tmp_path / "arrays", "--out", tmp_path / "a.ae")
    assert done.returncode == 2
    assert "Expected images in the folder" in done.stderr
    assert "Received: a.npy" in done.stderr
