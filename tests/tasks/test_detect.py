"""The task detect, on images and tables."""

import numpy as np
import pytest

from ae_multi.cli import main
from ae_multi.tasks.result import Options
from tests.reference.tables import write_csv
from tests.reference.tasks import QUICK, check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_detect_reports_auroc_with_pca(tmp_path, capsys, digits):
    text, found, picture = run_task(
        tmp_path, capsys, "detect", "--data", "digits", "--normal", 0, "--epochs", 60
    )
    check_picture(picture)
    normal = digits.x_train[digits.y_train == 0].reshape(-1, 784)
    test, anomalous = digits.x_test.reshape(-1, 784), digits.y_test != 0
    mean = normal.mean(axis=0)
    components = np.linalg.svd(normal - mean, full_matrices=False)[2][:32]
    errors = np.sum((test - mean - (test - mean) @ components.T @ components) ** 2, axis=1)
    # The fraction of pairs in which the anomaly has the larger error.
    pairs = np.mean(errors[anomalous][:, np.newaxis] > errors[~anomalous])
    assert found["results"]["PCA-32"]["AUROC"] == pytest.approx(pairs, abs=1e-4)
    assert found["results"]["autoencoder"]["AUROC"] > 0.95
    assert "raises false alarms for" in text
    auroc, pca = (found["results"][name]["AUROC"] for name in ("autoencoder", "PCA-32"))
    assert ("PCA-32 is better here: AUROC" in text) == (pca > auroc)
    assert main(["detect", *QUICK, "--normal", "12"]) == 2
    assert "Received: 12." in capsys.readouterr().err


def test_anomalous_option_selects_one_class(tmp_path, capsys, digits):
    text, found, picture = run_task(
        tmp_path, capsys, "detect", "--data", "digits", "--anomalous", 0, "--epochs", 40
    )
    check_picture(picture)
    assert "Trained on all classes but 0" in text
    assert f"Trained on {(digits.y_train != 0).sum():,} normal images" in text
    assert found["settings"]["anomalous"] == 0
    assert "normal" not in found["settings"]
    assert found["results"]["autoencoder"]["AUROC"] > found["results"]["PCA-32"]["AUROC"]
    assert main(["detect", *QUICK, "--anomalous", "12"]) == 2
    assert "anomalous to be a class out of [0, 1, 2, 3" in capsys.readouterr().err


def test_strange_is_a_hidden_alias_of_anomalous(capsys):
    assert main(["detect", *QUICK, "--strange", "12"]) == 2
    assert "anomalous to be a class out of [0, 1, 2, 3" in capsys.readouterr().err
    for name in ("--anomalous", "--normal"):
        with pytest.raises(SystemExit):
            main(["detect", *QUICK, "--strange", "1", name, "2"])
        assert f"argument {name}: not allowed with argument --strange" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["detect", "--help"])
    text = capsys.readouterr().out
    assert "[--normal N | --anomalous N]" in text
    assert "strange" not in text


@pytest.mark.parametrize("name", ["normal", "anomalous"])
def test_class_options_are_refused_with_a_table(name, tmp_path, capsys):
    assert main(["detect", "--data", "t.csv", "--label", "y", f"--{name}", "1"]) == 2
    assert f"no --{name} with a table" in capsys.readouterr().err


def test_detect_finds_anomalous_rows_of_a_table(tmp_path, capsys):
    """Two columns are correlated, except in anomalous rows."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=200)
    x = np.column_stack([a, 10 + 3 * a + rng.normal(0, 0.1, 200), rng.normal(size=200), a**2])
    anomalous = np.arange(200) % 20 == 0
    x[anomalous, 1] += rng.choice([-6, 6], anomalous.sum())
    rows = [[*values, str(bool(label))] for values, label in zip(x, anomalous, strict=True)]
    path = write_csv(tmp_path / "t.csv", ["a", "b", "c", "d", "alarm"], rows)
    text, found, picture = run_task(
        tmp_path, capsys, "detect", "--data", path, "--label", "alarm", "--epochs", 30
    )
    check_picture(picture)
    assert "anomalous by column 'alarm'" in text
    assert found["data"]["columns"] == ["a", "b", "c", "d"]
    assert (found["data"]["train_rows"], found["data"]["test_rows"]) == (120, 80)
    assert found["results"]["autoencoder"]["AUROC"] > 0.5


def test_table_with_one_anomalous_row_is_refused(tmp_path, capsys):
    path = write_csv(tmp_path / "t.csv", ["a", "y"], [[1, 0], [2, 0], [3, 0], [4, 1]])
    assert main(["detect", "--data", str(path), "--label", "y"]) == 2
    assert "at least 2 normal and 2 anomalous rows" in capsys.readouterr().err


def test_table_is_split_by_seed_and_scaled_by_training_rows(tmp_path):
    from ae_multi.tasks.detect import _table

    rows = [[value, value**2, int(value % 5 == 0)] for value in range(50)]
    path = write_csv(tmp_path / "t.csv", ["a", "b", "y"], rows)
    one, again, other = (_table(Options(seed=seed), path, "y") for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.train, again.train)
    assert not np.array_equal(one.train, other.train)
    np.testing.assert_allclose(one.train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(one.train.std(axis=0), 1)
    assert len(np.unique(np.r_[one.train, one.test], axis=0)) == 50
    assert (len(one.test), one.anomalous.sum()) == (20, 4)
