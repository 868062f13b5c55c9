"""Results and options that all tasks share."""

import numpy as np
import pytest

from ae_multi.cli import main
from ae_multi.tasks.result import Measure, Options, Result

pytestmark = [pytest.mark.backend, pytest.mark.once]


def result(score, baseline, higher=True):
    return Result(
        "reduce",
        "title",
        (Measure("score", ".2f", higher, "dB"),),
        {"autoencoder": (score,), "PCA-9": (baseline,)},
        {},
        {},
        {},
        0.0,
    )


@pytest.mark.parametrize("higher", [True, False])
def test_better_baselines_are_reported(higher):
    good, bad = (2.0, 1.0) if higher else (1.0, 2.0)
    assert result(good, bad, higher).lost == []
    assert result(bad, good, higher).lost == [
        f"PCA-9 is better here: score {good:.2f} dB against {bad:.2f} dB of the autoencoder."
    ]
    assert "PCA-9 is as good here" in result(1.0, 1.0, higher).lost[0]
    assert len(result(float("nan"), bad, higher).lost) == 1


def test_samples_option_uses_the_first_samples(digits):
    data = Options(data="digits", samples=30).load()
    np.testing.assert_array_equal(data.x_train, digits.x_train[:30])
    np.testing.assert_array_equal(data.y_test, digits.y_test[:30])
    assert "first 30" in data.source


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reduce", "--latent-dim", "0"], "latent_dim to be an integer of at least 1. Received: 0"),
        (["reduce", "--hidden", "9,0"], "hidden"),
        (["features", "--latent-dim", "-2"], "latent_dim"),
        (["denoise", "--noise", "0"], "noise to be a number above 0. Received: 0"),
        (["denoise", "--noise", "nan"], "noise to be a number above 0"),
        (["segment", "--data", "letters"], "mnist-sample, digits. Received: 'letters'"),
    ],
)
def test_invalid_options_are_usage_errors(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err
