"""The bundled sample of MNIST."""

import numpy as np
import pytest

from ae_multi.data import load_data, mnist, mnist_sample
from ae_multi.errors import InputError


def test_sample_is_a_stratified_tenth_of_mnist():
    data = load_data("mnist-sample")
    assert data.name == "mnist-sample"
    assert data.x_train.shape == (6000, 28, 28, 1)
    assert data.x_test.shape == (1000, 28, 28, 1)
    # Images of each class in MNIST.
    in_train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    in_test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.abs(np.bincount(data.y_train) - np.array(in_train) / 10).max() < 1
    assert np.abs(np.bincount(data.y_test) - np.array(in_test) / 10).max() < 1
    assert data.x_train.mean() == pytest.approx(0.1307, abs=5e-4)


def test_sample_equals_the_selection_of_its_script(mnist_folder, monkeypatch, tmp_path, capsys):
    from benchmarks import mnist_sample as script

    monkeypatch.setenv(mnist.VARIABLE, mnist_folder)
    assert script.main(["--out", str(tmp_path / "out.npz")]) == 0
    assert "out.npz: 1,1" in capsys.readouterr().out
    monkeypatch.setattr(mnist_sample, "FILE", tmp_path / "out.npz")
    sample = load_data("mnist-sample")  # which checks the digest
    mnist_data = load_data("mnist")
    # Each image occurs once in MNIST, in the same order.
    indices = np.flatnonzero(np.isin(_as_bytes(mnist_data.x_test), _as_bytes(sample.x_test)))
    assert len(indices) == 1000
    np.testing.assert_array_equal(mnist_data.y_test[indices], sample.y_test)


def _as_bytes(images):
    return np.array([image.tobytes() for image in images], object)


def test_damaged_sample_is_refused(monkeypatch, tmp_path):
    with np.load(mnist_sample.FILE) as file:
        arrays = dict(file)
    arrays["y_test"][7] ^= 1
    np.savez_compressed(tmp_path / "damaged.npz", **arrays)
    monkeypatch.setattr(mnist_sample, "FILE", tmp_path / "damaged.npz")
    with pytest.raises(InputError, match=r"SHA-256 .*Install the package again\."):
        load_data("mnist-sample")


def test_sample_is_small_and_states_its_authors_and_license():
    assert mnist_sample.FILE.stat().st_size < 1_500_000
    text = mnist_sample.FILE.with_suffix(".txt").read_text()
    for part in ("LeCun", "Cortes", "Burges", "CC BY-SA 3.0", "6,000", "1,000"):
        assert part in text
