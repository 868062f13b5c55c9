"""The task denoise."""

import numpy as np
import pytest

from tests.reference.tasks import QUICK, check_picture, run_task

pytestmark = [pytest.mark.backend, pytest.mark.once]


def test_quality_is_the_mean_psnr_and_ssim():
    from ae_multi.tasks.denoise import _quality

    clean = np.zeros((2, 12, 12, 1), np.float32)
    images = clean.copy()
    images[0] += 0.1  # 20 dB
    images[1, :6] += 0.1  # half of the error: 23.01 dB
    psnr, ssim = _quality(clean, images)
    assert psnr == pytest.approx((20 + 20 + 10 * np.log10(2)) / 2, abs=1e-4)
    assert _quality(images, images)[1] == pytest.approx(1, abs=1e-5)
    assert ssim < 0.5


def test_denoise_reports_psnr_and_ssim_with_baselines(tmp_path, capsys, digits):
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
