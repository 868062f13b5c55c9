"""The task reduce."""

import numpy as np
import pytest

from tests.reference.tasks import QUICK, check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_reduce_reports_mse_with_pca(tmp_path, capsys, digits):
    text, found, picture = run_task(
        tmp_path, capsys, "reduce", *QUICK, "--epochs", 1, "--latent-dim", 5
    )
    check_picture(picture)
    train, test = digits.x_train[:200].reshape(200, -1), digits.x_test[:200].reshape(200, -1)
    mean = train.mean(axis=0)
    components = np.linalg.svd(train - mean, full_matrices=False)[2][:5]
    restored = mean + (test - mean) @ components.T @ components
    expected = np.mean((np.clip(restored, 0, 1) - test) ** 2)
    assert found["results"]["PCA-5"]["test MSE"] == pytest.approx(expected, rel=1e-4)
    assert "PCA-5 is better here: test MSE" in text  # one epoch
    assert found["floors_that_win"][0] in text.replace("\n", " ")
    assert found["data"]["train_images"] == found["data"]["test_images"] == 200
    assert found["settings"] == {"codes": 5, "epochs": 1, "seed": 0}
