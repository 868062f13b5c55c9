"""The task features."""

import importlib

import numpy as np
import pytest

import ae_multi
from ae_multi.cli import main
from ae_multi.tasks.result import Options
from tests.reference.tasks import QUICK, check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_features_reports_accuracies_with_baselines(tmp_path, capsys, digits):
    text, found, picture = run_task(tmp_path, capsys, "features", *QUICK, "--epochs", 40)
    check_picture(picture)
    results = {name: value["test accuracy"] for name, value in found["results"].items()}
    counts = np.bincount(digits.y_train[:200])
    assert results["the commonest class"] == np.mean(digits.y_test[:200] == np.argmax(counts))
    assert 0.6 < results["PCA-32"] < 0.95
    assert 0.6 < results["autoencoder"] < 0.95
    assert ("PCA-32 is better" in text) == (results["PCA-32"] > results["autoencoder"])
    assert found["settings"] == {"codes": 32, "masked": 0.75, "epochs": 40, "seed": 0}
    arguments = ["--epochs", "1", "--masked", "0", "--hidden", "20,10", "--latent-dim", "3"]
    unmasked = run_task(tmp_path, capsys, "features", *QUICK, *arguments)[1]
    assert unmasked["settings"] == {"codes": 3, "masked": 0.0, "epochs": 1, "seed": 0}
    for fraction in ("1", "-0.1", "nan"):
        assert main(["features", *QUICK, "--masked", fraction]) == 2
        assert "Expected masked to be at least 0 and below 1." in capsys.readouterr().err


def test_features_masks_pixels_in_training(monkeypatch):
    module, fitted = importlib.import_module("ae_multi.tasks.features"), []

    class Recorded(ae_multi.AutoencoderTransformer):
        def fit(self, x):
            fitted.append(self)
            if self.epochs > 1:
                raise RuntimeError(f"{self.epochs} epochs")
            return super().fit(x)

    monkeypatch.setattr(module, "AutoencoderTransformer", Recorded)
    options = Options("digits", samples=50, epochs=1)
    module.features(options, 16, hidden=(8,))
    module.features(options, 15, hidden=(8,))
    module.features(options, 4, masked=0.5, hidden=(8,))
    module.features(options, 32, masked=0, hidden=(8,))
    many, few, half, unmasked = (each.network_ for each in fitted)
    assert (many.corruption, many.level, many.hidden) == ("masking", 0.75, (8,))
    assert (half.corruption, half.level) == ("masking", 0.5)
    assert type(few) is type(unmasked) is ae_multi.DeepAutoencoder
    assert [each.learning_rate for each in fitted] == [2e-3, 1e-3, 2e-3, 1e-3]
    # One step an epoch; at most 1,000 epochs.
    with pytest.raises(RuntimeError, match="1000 epochs"):
        module.features(Options("digits", samples=128), 16)
