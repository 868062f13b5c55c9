"""Tasks: results beside their floors, the pictures, and when it is said that a floor wins."""

import importlib

import numpy as np
import pytest

import ae_multi
from ae_multi.cli import main
from ae_multi.data.clutter import clutter
from ae_multi.tasks.result import Measure, Options, Result
from tests.reference.tasks import QUICK, check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def result(ours, floor, higher=True):
    return Result(
        "reduce",
        "title",
        (Measure("score", ".2f", higher, "dB"),),
        {"autoencoder": (ours,), "PCA-9": (floor,)},
        {},
        {},
        {},
        0.0,
    )


@pytest.mark.parametrize("higher", [True, False])
def test_it_is_said_when_a_floor_wins(higher):
    good, bad = (2.0, 1.0) if higher else (1.0, 2.0)
    assert result(good, bad, higher).lost == []
    assert result(bad, good, higher).lost == [
        f"PCA-9 is better here: score {good:.2f} dB against {bad:.2f} dB of the autoencoder."
    ]
    assert "PCA-9 is as good here" in result(1.0, 1.0, higher).lost[0]
    assert len(result(float("nan"), bad, higher).lost) == 1


def test_reduce(tmp_path, capsys, digits):
    text, found, picture = run_task(tmp_path, capsys, "reduce", *QUICK, "--epochs", 1, "--codes", 5)
    check_picture(picture)
    train, test = digits.x_train[:200].reshape(200, -1), digits.x_test[:200].reshape(200, -1)
    mean = train.mean(axis=0)
    parts = np.linalg.svd(train - mean, full_matrices=False)[2][:5]
    restored = mean + (test - mean) @ parts.T @ parts
    floor = np.mean((np.clip(restored, 0, 1) - test) ** 2)
    assert found["results"]["PCA-5"]["test MSE"] == pytest.approx(floor, rel=1e-4)
    assert "PCA-5 is better here: test MSE" in text  # one epoch
    assert found["floors_that_win"][0] in text.replace("\n", " ")
    assert found["data"]["train_images"] == found["data"]["test_images"] == 200
    assert found["settings"] == {"codes": 5, "epochs": 1, "seed": 0}


def test_denoise(tmp_path, capsys, digits):
    from ae_multi.tasks.denoise import with_noise

    text, found, picture = run_task(tmp_path, capsys, "denoise", *QUICK, "--epochs", 15)
    check_picture(picture)
    clean = digits.x_test[:200].astype(float)
    noisy = with_noise(digits.x_test[:200], 0.4, 0, "test")
    assert np.std((noisy - clean)[clean == 0.5]) == pytest.approx(0.33, abs=0.03)
    each = [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(noisy, clean, strict=True)]
    results = found["results"]
    assert results["the noisy image"]["PSNR"] == pytest.approx(np.mean(each), abs=1e-4)
    order = ["linear MMSE filter", "PCA-64", "the noisy image"]
    assert results["denoising autoencoder"]["PSNR"] > results["the noisy image"]["PSNR"] + 4
    assert results["linear MMSE filter"]["PSNR"] > results["PCA-64"]["PSNR"] + 1
    assert [*sorted(order, key=lambda name: -results[name]["PSNR"])] == order
    assert [*sorted(order, key=lambda name: -results[name]["SSIM"])] == order
    assert "PSNR dB" in text


def test_segment(tmp_path, capsys, digits):
    from sklearn.metrics import jaccard_score

    from ae_multi.baselines import otsu

    text, found, picture = run_task(
        tmp_path, capsys, "segment", "--data", "digits", "--samples", 60, "--epochs", 25
    )
    check_picture(picture)
    scenes, masks = clutter(digits.x_test[:60], 0, "test")
    floor = np.stack([scene[..., 0] > otsu(scene) for scene in scenes])
    expected = jaccard_score(masks.ravel(), floor.ravel())
    assert found["results"]["Otsu's threshold"]["IoU"] == pytest.approx(expected, rel=1e-6)
    assert found["results"]["segmentation network"]["IoU"] > expected
    assert "Digits on clutter" in text


def test_features(tmp_path, capsys, digits):
    text, found, picture = run_task(tmp_path, capsys, "features", *QUICK, "--epochs", 40)
    check_picture(picture)
    results = {name: value["test accuracy"] for name, value in found["results"].items()}
    counts = np.bincount(digits.y_train[:200])
    assert results["the commonest class"] == np.mean(digits.y_test[:200] == np.argmax(counts))
    assert 0.6 < results["PCA-32"] < 0.95
    assert 0.6 < results["autoencoder"] < 0.95
    assert ("PCA-32 is better" in text) == (results["PCA-32"] > results["autoencoder"])
    assert found["settings"] == {"codes": 32, "masked": 0.75, "epochs": 40, "seed": 0}
    asked = ["--epochs", "1", "--masked", "0", "--hidden", "20,10", "--codes", "3"]
    whole = run_task(tmp_path, capsys, "features", *QUICK, *asked)[1]
    assert whole["settings"] == {"codes": 3, "masked": 0.0, "epochs": 1, "seed": 0}
    for share in ("1", "-0.1", "nan"):
        assert main(["features", *QUICK, "--masked", share]) == 2
        assert "Expected masked to be at least 0 and below 1." in capsys.readouterr().err


def test_features_hide_pixels_in_training(monkeypatch):
    module, seen = importlib.import_module("ae_multi.tasks.features"), []

    class Seen(ae_multi.AutoencoderTransformer):
        def fit(self, x):
            seen.append(self)
            if self.epochs > 1:
                raise RuntimeError(f"{self.epochs} epochs")
            return super().fit(x)

    monkeypatch.setattr(module, "AutoencoderTransformer", Seen)
    options = Options("digits", samples=50, epochs=1)
    module.features(options, 16, hidden=(8,))
    module.features(options, 15, hidden=(8,))
    module.features(options, 4, masked=0.5, hidden=(8,))
    module.features(options, 32, masked=0, hidden=(8,))
    many, few, half, plain = (each.network_ for each in seen)
    assert (many.corruption, many.level, many.hidden) == ("masking", 0.75, (8,))
    assert (half.corruption, half.level) == ("masking", 0.5)
    assert type(few) is type(plain) is ae_multi.DeepAutoencoder
    assert [each.learning_rate for each in seen] == [2e-3, 1e-3, 2e-3, 1e-3]
    # A step an epoch, and 1,000 epochs at most.
    with pytest.raises(RuntimeError, match="1000 epochs"):
        module.features(Options("digits", samples=128), 16)


def test_the_first_samples_are_used(digits):
    data = Options(data="digits", samples=30).load()
    np.testing.assert_array_equal(data.x_train, digits.x_train[:30])
    np.testing.assert_array_equal(data.y_test, digits.y_test[:30])
    assert "first 30" in data.source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reduce", "--codes", "0"], "codes to be an integer of at least 1. Received: 0"),
        (["reduce", "--hidden", "9,0"], "hidden"),
        (["features", "--codes", "-2"], "codes"),
        (["denoise", "--noise", "0"], "noise to be a number above 0. Received: 0"),
        (["denoise", "--noise", "nan"], "noise to be a number above 0"),
        (["segment", "--data", "letters"], "mnist-sample, digits. Received: 'letters'"),
    ],
)
def test_what_makes_no_sense_to_a_task_is_a_usage_error(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
