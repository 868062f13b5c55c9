"""Tasks: results beside their floors, the floors against other ways to get them, the pictures."""

import csv
import importlib
import json

import matplotlib.image
import numpy as np
import pytest

import ae_multi
from ae_multi.cli import main
from ae_multi.data.clutter import clutter
from ae_multi.data.table import load_table
from ae_multi.errors import InputError
from ae_multi.tasks.result import Measure, Options, Result

pytestmark = [pytest.mark.backend, pytest.mark.once]

QUICK = ("--data", "digits", "--samples", "200")


def run(tmp_path, capsys, *arguments):
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


def result(ours, floor, higher=True):
    return Result("reduce", "title", (Measure("score", ".2f", higher, "dB"),),
                  {"autoencoder": (ours,), "PCA-9": (floor,)}, {}, {}, {}, 0.0)  # fmt: skip


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
    text, found, picture = run(tmp_path, capsys, "reduce", *QUICK, "--epochs", 1, "--codes", 5)
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

    text, found, picture = run(tmp_path, capsys, "denoise", *QUICK, "--epochs", 15)
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


def test_quality_by_hand():
    from ae_multi.tasks.denoise import _quality

    clean = np.zeros((2, 12, 12, 1), np.float32)
    images = clean.copy()
    images[0] += 0.1  # 20 dB
    images[1, :6] += 0.1  # half of the error: 23.01 dB
    found, similar = _quality(clean, images)
    assert found == pytest.approx((20 + 20 + 10 * np.log10(2)) / 2, abs=1e-4)
    assert _quality(images, images)[1] == pytest.approx(1, abs=1e-5)
    assert similar < 0.5


def test_the_linear_filter_is_least_squares():
    from ae_multi.tasks.floors import LinearFilter

    rng = np.random.default_rng(0)
    clean = rng.uniform(0.3, 0.7, (300, 3, 4))
    noisy = clean + rng.normal(0, 0.1, clean.shape)
    y, x = noisy.reshape(300, -1), clean.reshape(300, -1)
    columns = np.column_stack([y, np.ones(300)])
    expected = columns @ np.linalg.lstsq(columns, x, rcond=None)[0]
    restored = LinearFilter(noisy, clean, penalty=1e-12)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # A penalty is as good as rows of zeros to be learned as well.
    centred = np.vstack([y - y.mean(axis=0), np.sqrt(300 * 0.05) * np.eye(12)])
    wanted = np.vstack([x - x.mean(axis=0), np.zeros((12, 12))])
    expected = x.mean(axis=0) + (y - y.mean(axis=0)) @ np.linalg.lstsq(centred, wanted)[0]
    restored = LinearFilter(noisy, clean, penalty=0.05)(noisy)
    np.testing.assert_allclose(restored.reshape(300, -1), expected, atol=1e-6)
    # With few samples of pure noise, much of it has to be held back.
    assert LinearFilter(rng.random((40, 30)), rng.random((40, 30))).penalty == 0.1


def test_otsu_is_the_best_of_all_thresholds():
    from ae_multi.tasks.floors import best_threshold, iou, otsu

    rng = np.random.default_rng(3)
    for _ in range(20):
        values = np.round(np.r_[rng.normal(0.3, 0.1, 40), rng.normal(0.7, 0.2, 25)], 1)

        def between(limit, values=values):
            low, high = values[values <= limit], values[values > limit]
            share = len(low) / len(values)
            return share * (1 - share) * (low.mean() - high.mean()) ** 2

        choices = np.unique(values)[:-1]
        assert between(otsu(values)) == pytest.approx(max(map(between, choices)), rel=1e-9)
    assert not (np.full(9, 0.4) > otsu(np.full(9, 0.4))).any()
    assert iou(np.array([1, 1, 0, 0]) > 0, np.array([1, 0, 1, 0]) > 0) == pytest.approx(1 / 3)
    images = np.linspace(0, 1, 50).reshape(2, 5, 5)
    assert iou(images > best_threshold(images, images > 0.6), images > 0.6) == 1


def test_clutter_comes_from_the_seed_and_hides_the_digit(digits):
    few = digits.x_train[:60]
    scenes, masks = clutter(few, 5, "a")
    again, _ = clutter(few, 5, "a")
    np.testing.assert_array_equal(scenes, again)
    assert scenes.shape == few.shape
    assert scenes.dtype == np.float32
    assert scenes.min() >= 0
    assert scenes.max() <= 1
    for other in (clutter(few, 6, "a"), clutter(few, 5, "b")):
        assert np.abs(other[0] - scenes).mean() > 0.05
        np.testing.assert_array_equal(other[1], masks)
    np.testing.assert_array_equal(masks, few[..., 0] > 0.5)
    # The digit is bright; so are strokes beside it, which no threshold could tell from it.
    assert scenes[masks].mean() > 0.65
    assert (scenes[~masks] > 0.65).mean() > 0.05
    black, none = clutter(np.zeros((4, 28, 28, 1), np.float32), 0)
    assert not none.any()
    assert 0.15 < black.mean() < 0.35
    with pytest.raises(InputError, match=r"at least 2 images to cut from. Received: 1"):
        clutter(few[:1], 0)


def test_segment(tmp_path, capsys, digits):
    from sklearn.metrics import jaccard_score

    from ae_multi.tasks.floors import otsu

    text, found, picture = run(
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
    text, found, picture = run(tmp_path, capsys, "features", *QUICK, "--epochs", 40)
    check_picture(picture)
    results = {name: value["test accuracy"] for name, value in found["results"].items()}
    counts = np.bincount(digits.y_train[:200])
    assert results["the commonest class"] == np.mean(digits.y_test[:200] == np.argmax(counts))
    assert 0.6 < results["PCA-32"] < 0.95
    assert 0.6 < results["autoencoder"] < 0.95
    assert ("PCA-32 is better" in text) == (results["PCA-32"] > results["autoencoder"])
    assert found["settings"] == {"codes": 32, "masked": 0.75, "epochs": 40, "seed": 0}
    asked = ["--epochs", "1", "--masked", "0", "--hidden", "20,10", "--codes", "3"]
    whole = run(tmp_path, capsys, "features", *QUICK, *asked)[1]
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


def test_detect(tmp_path, capsys, digits):
    text, found, picture = run(
        tmp_path, capsys, "detect", "--data", "digits", "--normal", 0, "--epochs", 60
    )
    check_picture(picture)
    normal = digits.x_train[digits.y_train == 0].reshape(-1, 784)
    test, strange = digits.x_test.reshape(-1, 784), digits.y_test != 0
    mean = normal.mean(axis=0)
    parts = np.linalg.svd(normal - mean, full_matrices=False)[2][:32]
    errors = np.sum((test - mean - (test - mean) @ parts.T @ parts) ** 2, axis=1)
    # The share of pairs in which the strange one has the larger error.
    pairs = np.mean(errors[strange][:, np.newaxis] > errors[~strange])
    assert found["results"]["PCA-32"]["AUROC"] == pytest.approx(pairs, abs=1e-4)
    assert found["results"]["autoencoder"]["AUROC"] > 0.95
    assert "raises false alarms for" in text
    ours, floor = (found["results"][name]["AUROC"] for name in ("autoencoder", "PCA-32"))
    assert ("PCA-32 is better here: AUROC" in text) == (floor > ours)
    assert main(["detect", *QUICK, "--normal", "12"]) == 2
    assert "Received: 12." in capsys.readouterr().err


def test_detect_the_only_strange_class(tmp_path, capsys, digits):
    text, found, picture = run(
        tmp_path, capsys, "detect", "--data", "digits", "--strange", 0, "--epochs", 40
    )
    check_picture(picture)
    assert "Trained on all classes but 0" in text
    assert f"Learned from {(digits.y_train != 0).sum():,} normal images" in text
    assert found["settings"]["strange"] == 0
    assert "normal" not in found["settings"]
    assert found["results"]["autoencoder"]["AUROC"] > found["results"]["PCA-32"]["AUROC"]
    assert main(["detect", *QUICK, "--strange", "12"]) == 2
    assert "strange to be a class out of [0, 1, 2, 3" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["normal", "strange"])
def test_a_table_has_no_classes(name, tmp_path, capsys):
    assert main(["detect", "--data", "t.csv", "--label", "y", f"--{name}", "1"]) == 2
    assert f"no --{name} with a table" in capsys.readouterr().err


def write(path, names, rows):
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def test_detect_in_a_table_of_ones_own(tmp_path, capsys):
    """Two columns that go together, and rows in which they do not."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    x = np.column_stack([a, 10 + 3 * a + rng.normal(0, 0.1, 200), rng.normal(size=200), a**2])
    strange = np.arange(200) % 20 == 0
    x[strange, 1] += rng.choice([-6, 6], strange.sum())
    rows = [[*values, str(bool(odd))] for values, odd in zip(x, strange, strict=True)]
    path = write(tmp_path / "t.csv", ["a", "b", "c", "d", "alarm"], rows)
    text, found, picture = run(
        tmp_path, capsys, "detect", "--data", path, "--label", "alarm", "--epochs", 30
    )
    check_picture(picture)
    assert "strange by column 'alarm'" in text
    assert found["data"]["columns"] == ["a", "b", "c", "d"]
    assert (found["data"]["train_rows"], found["data"]["test_rows"]) == (120, 80)
    assert found["results"]["autoencoder"]["AUROC"] > 0.5


@pytest.mark.parametrize(
    ("names", "rows", "message"),
    [
        ("a,b", [[1, 2]], r"one column 'y' and others beside it. Received: a, b\."),
        ("y", [[1]], "others beside it"),
        ("a,y,y", [[1, 0, 0]], "one column 'y'"),
        ("a,y", [], "Received: names alone"),
        ("a,y", [[1, 0], ["x", 1]], r"line 3, column 'a' of .*Received: 'x'\."),
        ("a,y", [["nan", 0]], "finite number in line 2, column 'a' of .*Received: 'nan'"),
        ("a,y", [["", 0]], "finite number in line 2.*Received: ''"),
        ("a,y", [["inf", 0]], "finite number"),
        ("a,y", [[1, 2]], "1 or true for strange rows.*line 2, column 'y' of .*Received: '2'"),
        ("a,y", [[1, 0, 3]], "2 values in line 2 of .*Received: 3"),
    ],
)
def test_tables_that_cannot_be_read(tmp_path, names, rows, message):
    path = write(tmp_path / "t.csv", names.split(","), rows)
    with pytest.raises(InputError, match=message):
        load_table(path, "y")


def test_tables_as_they_are_read(tmp_path):
    table = load_table(
        write(tmp_path / "t.csv", [" b", "y", "a"], [[1, "TRUE", 2], [3, 0, 4]]), "y"
    )
    assert table.x.tolist() == [[1, 2], [3, 4]]
    assert table.strange.tolist() == [True, False]
    assert table.columns == ("b", "a")
    with pytest.raises(InputError, match=r"none.csv, which is no file"):
        load_table(tmp_path / "none.csv", "y")
    (tmp_path / "empty.csv").write_bytes(b"")
    with pytest.raises(InputError, match="Received: an empty file"):
        load_table(tmp_path / "empty.csv", "y")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="csv file of text"):
        load_table(tmp_path / "bytes.csv", "y")


def test_a_table_needs_both_kinds(tmp_path, capsys):
    path = write(tmp_path / "t.csv", ["a", "y"], [[1, 0], [2, 0], [3, 0], [4, 1]])
    assert main(["detect", "--data", str(path), "--label", "y"]) == 2
    assert "at least 2 normal and 2 strange rows" in capsys.readouterr().err


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
        (["segment", "--data", "letters"], "mnist, digits. Received: 'letters'"),
    ],
)
def test_what_makes_no_sense_to_a_task_is_a_usage_error(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_table_is_parted_by_the_seed_and_scaled_by_what_is_learned_from(tmp_path):
    from ae_multi.tasks.detect import _table

    rows = [[value, value**2, int(value % 5 == 0)] for value in range(50)]
    path = write(tmp_path / "t.csv", ["a", "b", "y"], rows)
    one, again, other = (_table(Options(seed=seed), path, "y") for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.train, again.train)
    assert not np.array_equal(one.train, other.train)
    np.testing.assert_allclose(one.train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(one.train.std(axis=0), 1)
    assert len(np.unique(np.r_[one.train, one.test], axis=0)) == 50
    assert (len(one.test), one.strange.sum()) == (20, 4)
